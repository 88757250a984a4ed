import type { Dialect } from "./dialect.ts";
import { autoOf } from "./dialects/auto.ts";
import { claudeXml } from "./dialects/claude-xml.ts";
import { cohere } from "./dialects/cohere.ts";
import { deepseekV3 } from "./dialects/deepseek-v3.ts";
import { deepseekV31 } from "./dialects/deepseek-v31.ts";
import { deepseekV32 } from "./dialects/deepseek-v32.ts";
import { ernie45 } from "./dialects/ernie45.ts";
import { functionTag } from "./dialects/function-tag.ts";
import { functionaryV32 } from "./dialects/functionary-v3-2.ts";
import { functiongemma } from "./dialects/functiongemma.ts";
import { gemma4 } from "./dialects/gemma4.ts";
import { gigachat3 } from "./dialects/gigachat3.ts";
import { glm45 } from "./dialects/glm45.ts";
import { glm47 } from "./dialects/glm47.ts";
import { granite } from "./dialects/granite.ts";
import { hermes } from "./dialects/hermes.ts";
import { hunyuanA13b } from "./dialects/hunyuan-a13b.ts";
import { hyV3 } from "./dialects/hy-v3.ts";
import { internlm } from "./dialects/internlm.ts";
import { jamba } from "./dialects/jamba.ts";
import { kimiK2 } from "./dialects/kimi-k2.ts";
import { lfm2 } from "./dialects/lfm2.ts";
import { llama3Json } from "./dialects/llama3-json.ts";
import { longcat } from "./dialects/longcat.ts";
import { minicpm5 } from "./dialects/minicpm5.ts";
import { minimax } from "./dialects/minimax.ts";
import { minimaxHosted } from "./dialects/minimax-hosted.ts";
import { minimaxM2 } from "./dialects/minimax-m2.ts";
import { minimaxM3 } from "./dialects/minimax-m3.ts";
import { mistral } from "./dialects/mistral.ts";
import { nemotronJson } from "./dialects/nemotron-json.ts";
import { none } from "./dialects/none.ts";
import { olmo3 } from "./dialects/olmo3.ts";
import { openai } from "./dialects/openai.ts";
import { phi4 } from "./dialects/phi4.ts";
import { phi4MiniJson } from "./dialects/phi4-mini-json.ts";
import { pythonic } from "./dialects/pythonic.ts";
import { qwen3Coder } from "./dialects/qwen3-coder.ts";
import { seedOss } from "./dialects/seed-oss.ts";
import { step3 } from "./dialects/step3.ts";
import { xlam } from "./dialects/xlam.ts";

const named = {
  minimax_m2: minimaxM2,
  minimax_m3: minimaxM3,
  minimax,
  minimax_hosted: minimaxHosted,
  hermes,
  qwen3_coder: qwen3Coder,
  glm45,
  glm47,
  llama3_json: llama3Json,
  pythonic,
  mistral,
  deepseek_v3: deepseekV3,
  deepseek_v31: deepseekV31,
  deepseek_v32: deepseekV32,
  kimi_k2: kimiK2,
  openai,
  phi4_mini_json: phi4MiniJson,
  phi4,
  granite,
  gemma4,
  functiongemma,
  function_tag: functionTag,
  functionary_v3_2: functionaryV32,
  claude_xml: claudeXml,
  cohere,
  ernie45,
  gigachat3,
  hunyuan_a13b: hunyuanA13b,
  hy_v3: hyV3,
  internlm,
  jamba,
  lfm2,
  longcat,
  minicpm5,
  nemotron_json: nemotronJson,
  olmo3,
  seed_oss: seedOss,
  step3,
  xlam,
  none,
} as const satisfies Record<string, Dialect>;

/** Every dialect by the name that a config gives it. */
export const dialects = { auto: autoOf(Object.values(named)), ...named } as const satisfies Record<string, Dialect>;

export type DialectName = keyof typeof dialects;

/** The names of the dialects, aliases not among them. */
export const dialectNames = Object.keys(dialects) as DialectName[];

const byAlias = new Map<string, DialectName>(
  dialectNames.flatMap((name) => [name, ...dialects[name].aliases].map((alias) => [alias, name] as const)),
);

/** The dialect that a name or an alias stands for; undefined when there is none. */
export function findDialect(name: string): DialectName | undefined {
  return byAlias.get(name);
}
