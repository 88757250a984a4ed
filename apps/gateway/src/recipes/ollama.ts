import type { Choice, Recipe, RecipeKind, Scenario } from "./recipe.ts";

const PORT = 11_434;

/** Requests at once, the context of each, and how long a model stays in memory that nobody asks for. */
const growth = {
  light: { parallel: 1, context: 4_096, keepAlive: "5m" },
  balanced: { parallel: 4, context: 8_192, keepAlive: "30m" },
  heavy: { parallel: 8, context: 8_192, keepAlive: "-1" },
} as const satisfies Record<Scenario, { parallel: number; context: number; keepAlive: string }>;

interface Library {
  /** What Ollama's library calls it. */
  readonly tag: string;
  readonly title: string;
  /** Weights as pulled, in GB. */
  readonly gb: number;
  readonly tools: boolean;
  readonly dialect: string;
  /** Sampling that it reads and the model's page recommends; it has no `top_k` in OpenAI's requests. */
  readonly defaults?: Readonly<Record<string, number>>;
}

const qwen = { tools: true, dialect: "hermes", defaults: { temperature: 0.7, top_p: 0.8 } } as const;
const plain = { tools: false, dialect: "auto" } as const;

const library: Readonly<Record<string, Library>> = {
  "qwen2.5-0.5b": { tag: "qwen2.5:0.5b", title: "Qwen2.5 0.5B", gb: 0.4, ...qwen },
  "qwen2.5-coder-7b": { tag: "qwen2.5-coder:7b", title: "Qwen2.5-Coder 7B", gb: 4.7, ...qwen },
  "llama3.2-1b": { tag: "llama3.2:1b", title: "Llama 3.2 1B", gb: 1.3, tools: true, dialect: "llama3_json" },
  "llama3.2-3b": { tag: "llama3.2:3b", title: "Llama 3.2 3B", gb: 2, tools: true, dialect: "llama3_json" },
  "phi-3.5-mini": { tag: "phi3.5:3.8b", title: "Phi-3.5-mini", gb: 2.2, ...plain },
  "phi-4-mini": { tag: "phi4-mini:3.8b", title: "Phi-4-mini", gb: 2.5, tools: true, dialect: "auto" },
  "phi-4": { tag: "phi4:14b", title: "Phi-4", gb: 9.1, ...plain },
  "codellama-7b": { tag: "codellama:7b", title: "Code Llama 7B", gb: 3.8, ...plain },
};

/** Small models on Ollama, on a processor or one GPU. */
export const ollama: RecipeKind = {
  checked: "Ollama 0.33.0, its envconfig/config.go and openai/openai.go",
  models: Object.fromEntries(Object.entries(library).map(([name, { tag }]) => [name, [tag]])),
  scenarios: ["light", "balanced", "heavy"],
  gpusOf: (model) => (library[model]!.gb > 3 ? [1, 0] : [0, 1]),
  recipe,
};

function recipe(choice: Choice): Recipe {
  const { model, scenario, gpus } = choice;
  const { tag, title, gb, tools, dialect, defaults } = library[model]!;
  const { parallel, context, keepAlive } = growth[scenario];
  return {
    kind: "ollama",
    choice,
    title: `${title} on Ollama, ${gpus === 0 ? "a processor" : "1 GPU"}`,
    notes: [
      `${gb} GB of weights, and ${parallel} x ${context.toLocaleString("en")} tokens of context: max_concurrent is OLLAMA_NUM_PARALLEL, so that requests wait in the gateway, where who waits is seen.`,
      keepAlive === "-1"
        ? "The model stays in memory for ever."
        : `A model that nobody asks for leaves memory after ${keepAlive}; the request that loads it again has the limit cold_start.`,
      "A prompt beyond the context is cut without a word: the policy's context keeps such requests away.",
    ],
    launch: {
      environment: {
        OLLAMA_HOST: `127.0.0.1:${PORT}`,
        OLLAMA_NUM_PARALLEL: String(parallel),
        OLLAMA_CONTEXT_LENGTH: String(context),
        OLLAMA_KEEP_ALIVE: keepAlive,
        OLLAMA_MAX_LOADED_MODELS: "1",
      },
      before: [],
      program: ["ollama", "serve"],
      flags: [],
      after: { ready: "ollama list", run: `ollama pull ${tag}` },
      port: PORT,
      container: {
        image: "ollama/ollama:0.33.0",
        environment: { OLLAMA_HOST: `0.0.0.0:${PORT}` },
        health: ["ollama", "list"],
        healthPath: "/api/version",
        weightsPath: "/root/.ollama",
        weightsGib: Math.ceil(gb * 1.5 + 5),
        memoryGib: gpus === 0 ? Math.ceil(gb * 1.3 + 3) : 8,
        cpus: 4,
        startMinutes: 15,
      },
    },
    backend: {
      max_concurrent: parallel,
      ...(gpus === 0 ? {} : { gpus }),
      timeouts: { cold_start: "5m" },
    },
    model: { name: model, upstream: tag, dialect, context, tools, ...(defaults === undefined ? {} : { defaults }) },
  };
}
