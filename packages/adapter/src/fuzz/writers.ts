/** A number in [0, 1). */
export type Random = () => number;

export function pick<T>(random: Random, list: readonly T[]): T {
  return list[Math.floor(random() * list.length)]!;
}

/** What values and prose are made of: much of it looks like the markup around it. */
const morsels = [
  "Paris",
  "ls -la",
  "3",
  "-1.50",
  "true",
  "None",
  "null",
  "12345678901234567890",
  " ",
  "\n",
  "\r\n",
  "\t",
  "\\",
  '"',
  "'",
  "{",
  "}",
  "[",
  "]",
  "(",
  ")",
  ",",
  ":",
  "<",
  ">",
  "&amp;",
  "`",
  "```",
  "```json\n",
  "~~~",
  "'''",
  "\u2028",
  "\u0000",
  "\ud83d\ude00",
  "\ud800",
  "\udc00",
  "東京",
  "<|",
  "|>",
  "</",
  "</parameter>",
  "</parameter>\n</invoke>",
  "</invoke>",
  "</function>",
  "</tool_call>",
  "<tool_call>",
  "<think>",
  "</think>",
  "</minimax:tool_call>",
  "[TOOL_CALLS]",
  "[ARGS]",
  '"}',
  '"}}',
  "}}]",
  "<![CDATA[",
  "]]>",
  "get_weather",
  "<invoke name=",
  "<parameter=x>",
  "</arg_value>",
  '<|"|>',
  "<|call|>",
  "<|tool_call_end|>",
  "```\n",
] as const;

export function text(random: Random, most: number): string {
  let made = "";
  for (let count = Math.floor(random() * (most + 1)); count > 0; count--) made += pick(random, morsels);
  return made;
}

type Value = string | number | boolean | null | readonly Value[] | { readonly [key: string]: Value };

function value(random: Random, depth = 0): Value {
  const kind = random();
  if (kind < 0.55 || depth > 2) return text(random, 4);
  if (kind < 0.65) return Math.floor(random() * 1e6) / pick(random, [1, 10, 1000]);
  if (kind < 0.75) return pick(random, [true, false, null]);
  const count = Math.floor(random() * 3);
  if (kind < 0.87) return Array.from({ length: count }, () => value(random, depth + 1));
  return Object.fromEntries(Array.from({ length: count }, () => [text(random, 1), value(random, depth + 1)]));
}

export interface WrittenCall {
  readonly name: string;
  readonly args: Readonly<Record<string, Value>>;
}

export function call(random: Random): WrittenCall {
  const keys = [
    "city",
    "days",
    "unit",
    "tags",
    "opt",
    "any",
    "obj",
    "num",
    "b",
    "cmd",
    "timeout",
    "env",
    "path",
    "content",
  ];
  const count = Math.floor(random() * 4);
  const args = Object.fromEntries(Array.from({ length: count }, () => [pick(random, keys), value(random)]));
  return { name: pick(random, ["get_weather", "exec", "noargs", "write_file", "unknown_tool", "get_weather"]), args };
}

const json = ({ name, args }: WrittenCall, keyOfArgs = "arguments") => JSON.stringify({ name, [keyOfArgs]: args });
const plain = (one: Value) => (typeof one === "string" ? one : JSON.stringify(one));
const python = (one: Value): string =>
  typeof one === "string"
    ? `'${one.replaceAll("\\", "\\\\").replaceAll("'", "\\'").replaceAll("\n", "\\n")}'`
    : one === null
      ? "None"
      : one === true
        ? "True"
        : one === false
          ? "False"
          : Array.isArray(one)
            ? `[${one.map(python).join(", ")}]`
            : typeof one === "object"
              ? `{${Object.entries(one)
                  .map(([key, inner]) => `${python(key)}: ${python(inner as Value)}`)
                  .join(", ")}}`
              : String(one);
const gemma = (one: Value, quote: string): string =>
  typeof one === "string"
    ? `${quote}${one}${quote}`
    : Array.isArray(one)
      ? `[${one.map((inner) => gemma(inner, quote)).join(",")}]`
      : typeof one === "object" && one !== null
        ? `{${Object.entries(one)
            .map(([key, inner]) => `${key}:${gemma(inner as Value, quote)}`)
            .join(",")}}`
        : String(one);
const each = (args: WrittenCall["args"], write: (key: string, one: Value) => string, between = "") =>
  Object.entries(args)
    .map(([key, one]) => write(key, one))
    .join(between);
const nested = (one: Value, mark: string): string =>
  Array.isArray(one)
    ? one.map((inner) => `${mark}<item>${nested(inner, mark)}${mark}</item>`).join("")
    : typeof one === "object" && one !== null
      ? Object.entries(one)
          .map(([key, inner]) => `${mark}<${key}>${nested(inner as Value, mark)}${mark}</${key}>`)
          .join("")
      : plain(one);
const MARK = "]<]minimax[>[";

/** Writes calls as models of a dialect do. */
type Writer = (calls: readonly WrittenCall[]) => string;

const invoke = ({ name, args }: WrittenCall, prefix = "") =>
  `<${prefix}invoke name="${name}">\n${each(args, (key, one) => `<${prefix}parameter name="${key}">${plain(one)}</${prefix}parameter>\n`)}</${prefix}invoke>\n`;
const functionTag = ({ name, args }: WrittenCall) =>
  `<function=${name}>\n${each(args, (key, one) => `<parameter=${key}>\n${plain(one)}\n</parameter>\n`)}</function>\n`;
const keyValues = ({ name, args }: WrittenCall, newline = "\n") =>
  `${name}${newline}${each(args, (key, one) => `<arg_key>${key}</arg_key>${newline}<arg_value>${plain(one)}</arg_value>${newline}`)}`;

export const writers: Readonly<Record<string, readonly Writer[]>> = {
  minimax_m2: [(calls) => `<minimax:tool_call>\n${calls.map((one) => invoke(one)).join("")}</minimax:tool_call>`],
  minimax_m3: [
    (calls) =>
      `${MARK}<tool_call>\n${calls.map(({ name, args }) => `${MARK}<invoke name="${name}">${nested(args, MARK)}${MARK}</invoke>\n`).join("")}${MARK}</tool_call>`,
  ],
  minimax: [(calls) => `<tool_calls>\n${calls.map((one) => json(one)).join("\n")}\n</tool_calls>`],
  minimax_hosted: [
    (calls) =>
      calls
        .map(
          ({ name, args }) =>
            `<invoke><${name}>\n${each(args, (key, one) => `<${key}>${plain(one)}</${key}>`)}</${name}></invoke>`,
        )
        .join("\n"),
    (calls) =>
      calls
        .map(
          ({ name, args }) =>
            `<tool_call><name>${name}</name><arguments>${JSON.stringify(args)}</arguments></tool_call>`,
        )
        .join("\n"),
    (calls) =>
      calls
        .map(
          ({ name, args }) =>
            `[TOOL_CALL]\n{tool => "${name}", args => {\n${each(args, (key, one) => `  --${key} ${JSON.stringify(one)}\n`)}}}\n[/TOOL_CALL]`,
        )
        .join("\n"),
  ],
  hermes: [
    (calls) => calls.map((one) => `<tool_call>\n${json(one)}\n</tool_call>`).join("\n"),
    (calls) => `<tool_call>[${calls.map((one) => json(one)).join(", ")}]</tool_call>`,
    (calls) => calls.map((one) => json(one)).join("\n"),
  ],
  qwen3_coder: [
    (calls) => calls.map((one) => `<tool_call>\n${functionTag(one)}</tool_call>`).join("\n"),
    (calls) => calls.map(functionTag).join(""),
  ],
  seed_oss: [(calls) => calls.map((one) => `<seed:tool_call>\n${functionTag(one)}</seed:tool_call>`).join("\n")],
  glm45: [(calls) => calls.map((one) => `<tool_call>${keyValues(one)}</tool_call>`).join("\n")],
  glm47: [(calls) => calls.map((one) => `<tool_call>${keyValues(one, "")}</tool_call>`).join("")],
  hy_v3: [
    (calls) =>
      `<tool_calls>${calls.map((one) => `<tool_call>${keyValues(one, "").replace("<arg_key>", "<tool_sep><arg_key>")}</tool_call>`).join("")}</tool_calls>`,
  ],
  llama3_json: [
    (calls) => `<|python_tag|>${calls.map((one) => json(one, "parameters")).join("; ")}<|eom_id|>`,
    (calls) => calls.map((one) => json(one, "parameters")).join("; "),
  ],
  pythonic: [
    (calls) =>
      `[${calls.map(({ name, args }) => `${name}(${each(args, (key, one) => `${key}=${python(one)}`, ", ")})`).join(", ")}]`,
  ],
  olmo3: [
    (calls) =>
      `<function_calls>\n${calls.map(({ name, args }) => `${name}(${each(args, (key, one) => `${key}=${python(one)}`, ", ")})`).join("\n")}\n</function_calls>`,
  ],
  lfm2: [
    (calls) =>
      `<|tool_call_start|>[${calls.map(({ name, args }) => `${name}(${each(args, (key, one) => `${key}=${python(one)}`, ", ")})`).join(", ")}]<|tool_call_end|>`,
  ],
  mistral: [
    (calls) => `[TOOL_CALLS] [${calls.map((one) => json(one)).join(", ")}]`,
    (calls) =>
      calls.map(({ name, args }) => `[TOOL_CALLS]${name}[CALL_ID]abc123def[ARGS]${JSON.stringify(args)}`).join(""),
  ],
  deepseek_v3: [
    (calls) =>
      `<｜tool▁calls▁begin｜>${calls.map(({ name, args }) => `<｜tool▁call▁begin｜>function<｜tool▁sep｜>${name}\n\`\`\`json\n${JSON.stringify(args)}\n\`\`\`<｜tool▁call▁end｜>`).join("\n")}<｜tool▁calls▁end｜>`,
  ],
  deepseek_v31: [
    (calls) =>
      `<｜tool▁calls▁begin｜>${calls.map(({ name, args }) => `<｜tool▁call▁begin｜>${name}<｜tool▁sep｜>${JSON.stringify(args)}<｜tool▁call▁end｜>`).join("")}<｜tool▁calls▁end｜>`,
  ],
  deepseek_v32: [
    (calls) =>
      `<｜DSML｜function_calls>\n${calls.map(({ name, args }) => `<｜DSML｜invoke name="${name}">\n${each(args, (key, one) => `<｜DSML｜parameter name="${key}" string="${typeof one === "string"}">${plain(one)}</｜DSML｜parameter>\n`)}</｜DSML｜invoke>\n`).join("")}</｜DSML｜function_calls>`,
  ],
  kimi_k2: [
    (calls) =>
      `<|tool_calls_section_begin|>${calls.map(({ name, args }, index) => `<|tool_call_begin|>functions.${name}:${index}<|tool_call_argument_begin|>${JSON.stringify(args)}<|tool_call_end|>`).join("")}<|tool_calls_section_end|>`,
  ],
  openai: [
    (calls) =>
      `<|channel|>analysis<|message|>Well.<|end|>${calls.map(({ name, args }) => `<|start|>assistant<|channel|>commentary to=functions.${name} <|constrain|>json<|message|>${JSON.stringify(args)}<|call|>`).join("")}`,
  ],
  phi4_mini_json: [(calls) => `functools[${calls.map((one) => json(one)).join(", ")}]`],
  phi4: [(calls) => `<|tool_call|>[${calls.map((one) => json(one)).join(", ")}]<|/tool_call|>`],
  granite: [(calls) => `<|tool_call|>[${calls.map((one) => json(one)).join(", ")}]`],
  gemma4: [
    (calls) => calls.map(({ name, args }) => `<|tool_call>call:${name}${gemma(args, '<|"|>')}<tool_call|>`).join(""),
  ],
  functiongemma: [
    (calls) =>
      calls
        .map(({ name, args }) => `<start_function_call>call:${name}${gemma(args, "<escape>")}<end_function_call>`)
        .join(""),
  ],
  function_tag: [
    (calls) => calls.map(({ name, args }) => `<function=${name}>${JSON.stringify(args)}</function>`).join(""),
  ],
  functionary_v3_2: [(calls) => calls.map(({ name, args }) => `>>>${name}\n${JSON.stringify(args)}`).join("\n")],
  claude_xml: [(calls) => `<function_calls>\n${calls.map((one) => invoke(one)).join("")}</function_calls>`],
  cohere: [
    (calls) =>
      `<|START_ACTION|>[${calls.map(({ name, args }, index) => JSON.stringify({ tool_call_id: String(index), tool_name: name, parameters: args })).join(", ")}]<|END_ACTION|>`,
  ],
  longcat: [(calls) => calls.map((one) => `<longcat_tool_call>${json(one)}</longcat_tool_call>`).join("\n")],
  nemotron_json: [(calls) => `<TOOLCALL>[${calls.map((one) => json(one)).join(", ")}]</TOOLCALL>`],
  minicpm5: [
    (calls) =>
      calls
        .map(
          ({ name, args }) =>
            `<function name="${name}">${each(args, (key, one) => `<param name="${key}">${plain(one)}</param>`)}</function>`,
        )
        .join(""),
  ],
  step3: [
    (calls) =>
      `<｜tool_calls_begin｜>${calls.map((one) => `<｜tool_call_begin｜>function<｜tool_sep｜>${invoke(one, "steptml:")}<｜tool_call_end｜>`).join("")}<｜tool_calls_end｜>`,
  ],
  internlm: [
    (calls) => calls.map((one) => `<|action_start|><|plugin|>\n${json(one, "parameters")}<|action_end|>`).join(""),
  ],
  gigachat3: [(calls) => calls.map((one) => `<|message_sep|>\n\nfunction call<|role_sep|>\n${json(one)}`).join("")],
};
