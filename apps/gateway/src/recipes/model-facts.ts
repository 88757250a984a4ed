/** What is known of a model, whatever engine it runs on; from its own page and its `config.json`. */
export interface ModelFacts {
  readonly title: string;
  /** The name of its repository, which SGLang and vLLM serve it by. */
  readonly repository: string;
  /** Weights as published, in GB of 10^9 bytes. */
  readonly weightsGb: number;
  /** KV cache for one token of context, in bytes. */
  readonly kvBytes: number;
  /** Tokens of prompt and reply together. */
  readonly context: number;
  /** How it writes tool calls and reasoning. */
  readonly dialect: string;
  /** Its own chat template shows tools to it. */
  readonly tools: boolean;
  /** Sampling that its own page recommends. */
  readonly sampling?: Readonly<Record<string, number>>;
}

/** Keys and values of each layer, two bytes a number. */
const kv = (layers: number, heads: number, width: number): number => layers * 2 * heads * width * 2;

const qwen = { dialect: "hermes", tools: true, sampling: { temperature: 0.7, top_p: 0.8, top_k: 20 } } as const;
const phi = { dialect: "auto", tools: false } as const;

/** Models that recipes know the size of, by their short names. */
export const modelFacts = {
  "minimax-m2": {
    title: "MiniMax-M2",
    repository: "MiniMaxAI/MiniMax-M2",
    weightsGb: 220,
    // The guide's figure, 240 GB for a million tokens: 62 layers of 8 heads, 128 wide, and what goes with them.
    kvBytes: 240_000,
    context: 196_608,
    dialect: "minimax_m2",
    tools: true,
    // The model's page says 40; its guide once said 20.
    sampling: { temperature: 1, top_p: 0.95, top_k: 40 },
  },
  "qwen2.5-0.5b": {
    title: "Qwen2.5 0.5B",
    repository: "Qwen/Qwen2.5-0.5B-Instruct",
    weightsGb: 1,
    kvBytes: kv(24, 2, 64),
    context: 32_768,
    ...qwen,
  },
  "qwen2.5-coder-7b": {
    title: "Qwen2.5-Coder 7B",
    repository: "Qwen/Qwen2.5-Coder-7B-Instruct",
    weightsGb: 15.2,
    kvBytes: kv(28, 4, 128),
    context: 32_768,
    ...qwen,
  },
  "phi-3.5-mini": {
    title: "Phi-3.5-mini",
    repository: "microsoft/Phi-3.5-mini-instruct",
    weightsGb: 7.6,
    kvBytes: kv(32, 32, 96),
    context: 131_072,
    ...phi,
    sampling: { temperature: 0 },
  },
  "phi-4-mini": {
    title: "Phi-4-mini",
    repository: "microsoft/Phi-4-mini-instruct",
    weightsGb: 7.7,
    kvBytes: kv(32, 8, 128),
    context: 131_072,
    // Its own template reads tools from the system message alone, where OpenAI's requests do not have them.
    ...phi,
    sampling: { temperature: 0 },
  },
  "phi-4": {
    title: "Phi-4",
    repository: "microsoft/phi-4",
    weightsGb: 29.3,
    kvBytes: kv(40, 10, 128),
    context: 16_384,
    ...phi,
  },
} as const satisfies Record<string, ModelFacts>;

export type KnownModel = keyof typeof modelFacts;
