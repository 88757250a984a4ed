/**
 * Words that tell how much thinking a request asks for. English entries are stems (a word counts when it begins with
 * one), Chinese entries are matched anywhere. Each group says how much a new word of it adds, and at most adds.
 */
export interface WordGroup {
  readonly name: string;
  readonly each: number;
  readonly most: number;
  readonly stems: readonly string[];
  readonly chinese: readonly string[];
}

const list = (text: string): readonly string[] => text.trim().split(/\s+/);

export const wordGroups: readonly WordGroup[] = [
  {
    name: "deep reasoning",
    each: 0.45,
    most: 1.3,
    stems: list(`prove proof derive derivat theorem lemma corollar conjectur axiom inductio contradict irrational
      optimi algorithm architect distribut concurren scalab tolera refactor debug diagnos analys analyz tradeoff evaluat
      critique synthes formulat simulat asymptot eigen integral differenti equation polynomial invariant deadlock
      benchmark migrat vulnerab threat consensus bottleneck rigor`),
    chinese:
      list(`证明 推导 定理 引理 归纳法 反证 优化 算法 架构 分布式 并发 容错 重构 调试 诊断 分析 权衡 评估 论证 建模 微分
      积分 方程 多项式 矩阵 死锁 瓶颈 漏洞 一致性 设计一个 设计并`),
  },
  {
    name: "task verbs",
    each: 0.2,
    most: 0.6,
    stems: list(`design implement compar contrast justif calculat comput solve determin estimat investigat interpret
      assess review reason explain strateg develop construct programm debate argue recommend propos classif extract
      function query script code coding sql regex plan why`),
    chinese:
      list(`设计 实现 比较 对比 计算 求解 解释 为什么 审查 评审 代码 函数 编写 方案 规划 推理 判断 推荐 制定 总结归纳 步骤
      程序 脚本 解方程 说明理由 论述`),
  },
  {
    name: "steps",
    each: 0.25,
    most: 0.5,
    stems: list("step stepwise thorough detail depth carefully"),
    chinese: list("逐步 一步一步 一步步 详细 深入 分步 仔细"),
  },
  {
    name: "technical terms",
    each: 0.1,
    most: 0.4,
    stems: list(`python javascript typescript java rust golang haskell api database server thread kernel compiler
      kubernet docker async queue cache protocol lock mutex regression statut plaintiff defendan liabilit jurisdic
      patient symptom enzyme molecul quantum thermodynam isotope genome neuron inflation elasticit hypothes`),
    chinese: list("数据库 服务器 线程 内核 编译 缓存 队列 协议 接口 原告 被告 法院 合同 患者 症状 分子 量子 基因"),
  },
  {
    name: "constraints",
    each: 0.09,
    most: 0.36,
    stems: list(`must should least most exactly without unless except ensur requir constrain limit restrict only each
      every neither either cannot guarant assum suppos given consider condition`),
    chinese: list("必须 应当 至少 至多 不超过 不得 除非 除了 确保 要求 限制 只能 每个 假设 假定 已知 设有 条件 如果"),
  },
  {
    name: "quantities",
    each: 0.1,
    most: 0.3,
    stems: list(`total percent average twice half third double triple remain ratio probabil fraction altogether
      profit interest speed distance area volume`),
    chinese: list("多少 几个 总共 一共 百分 平均 两倍 一半 剩下 比例 概率 利润 利率 速度 路程 面积 体积"),
  },
  {
    name: "formats",
    each: 0.12,
    most: 0.24,
    stems: list("json schema yaml xml csv table markdown latex"),
    chinese: list("表格 格式 字段"),
  },
];

/** Courtesies say nothing about the task: they are not counted as words. */
export const courtesies: ReadonlySet<string> = new Set(
  list(`please pls plz kindly could would can you your thanks thank thx hello hi hey dear sir madam help me i appreciate
    advance sorry just want need like to with this that
      very much a the an of in is it for and`),
);

/** What code begins its lines with. */
export const codeWords: ReadonlySet<string> = new Set(
  list(`def class import from function const let var return public private static void int async await export package
    func fn struct impl use include if for while switch case try catch except elif else end begin select insert update
    where print console self assert raise throw new type interface enum namespace using template typedef`),
);
