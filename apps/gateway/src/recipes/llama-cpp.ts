import { type KnownModel, modelFacts } from "./model-facts.ts";
import type { Choice, Flag, Recipe, RecipeKind, Scenario } from "./recipe.ts";

/** Not the engine's own 8080, where the gateway listens. */
const PORT = 8081;

/** Requests at once and the context of each: the server shares its context out to them in equal parts. */
const growth = {
  light: { slots: 1, context: 4_096 },
  balanced: { slots: 4, context: 8_192 },
  heavy: { slots: 8, context: 8_192 },
} as const satisfies Record<Scenario, { slots: number; context: number }>;

interface Weights {
  readonly repository: string;
  readonly file: string;
  /** In GB. */
  readonly gb: number;
}

const files = {
  "qwen2.5-0.5b": {
    repository: "Qwen/Qwen2.5-0.5B-Instruct-GGUF",
    file: "qwen2.5-0.5b-instruct-q4_k_m.gguf",
    gb: 0.5,
  },
  "qwen2.5-coder-7b": {
    repository: "Qwen/Qwen2.5-Coder-7B-Instruct-GGUF",
    file: "qwen2.5-coder-7b-instruct-q4_k_m.gguf",
    gb: 4.7,
  },
} as const satisfies Partial<Record<KnownModel, Weights>>;

/** Small models as GGUF files on llama.cpp's server, on a processor or one GPU. */
export const llamaCpp: RecipeKind = {
  checked: "llama-server 0.5.0, its --help",
  models: Object.fromEntries(Object.entries(files).map(([name, { file }]) => [name, [file]])),
  scenarios: ["light", "balanced", "heavy"],
  gpusOf: (model) => (files[model as keyof typeof files].gb > 3 ? [1, 0] : [0, 1]),
  recipe,
};

/** Aside first: half a file would be taken for a whole one. */
function fetchTo(folder: string, { repository, file }: Weights): string {
  const to = `${folder}/${file}`;
  const from = `https://huggingface.co/${repository}/resolve/main/${file}`;
  return `test -e ${to} || { curl -fL --create-dirs -o ${to}.part ${from} && mv ${to}.part ${to}; }`;
}

function recipe(choice: Choice): Recipe {
  const { model, scenario, gpus } = choice;
  const facts = modelFacts[model as keyof typeof files];
  const weights = files[model as keyof typeof files];
  const { slots, context } = growth[scenario];
  const room = slots * context;
  const kvGb = (room * facts.kvBytes) / 1e9;
  const listen = (host: string): Flag[] => [
    ["--host", host],
    ["--port", String(PORT)],
  ];
  return {
    kind: "llama_cpp",
    choice,
    title: `${facts.title} on llama.cpp, ${gpus === 0 ? "a processor" : "1 GPU"}`,
    notes: [
      `Memory: ${weights.gb} GB of weights + ${room.toLocaleString("en")} tokens x ${Math.round(facts.kvBytes / 1000)} kB = ${kvGb.toFixed(1)} GB of KV cache.`,
      `max_concurrent: ${slots} slot${slots === 1 ? "" : "s"} of ${room.toLocaleString("en")} / ${slots} = ${context.toLocaleString("en")} tokens each.`,
    ],
    launch: {
      environment: {},
      before: [fetchTo("models", weights)],
      program: ["llama-server"],
      flags: [
        ["--model", `models/${weights.file}`],
        ["--alias", model],
        ["--jinja"],
        ["--parallel", String(slots)],
        ["--ctx-size", String(room)],
        ...(gpus === 0 ? [] : ([["--gpu-layers", "99"]] as const)),
        ["--metrics"],
        ...listen("127.0.0.1"),
      ],
      port: PORT,
      container: {
        image: `ghcr.io/ggml-org/llama.cpp:server${gpus === 0 ? "" : "-cuda"}-b11118`,
        program: ["/app/llama-server"],
        flags: [["--model", `/models/${weights.file}`], ...listen("0.0.0.0")],
        health: ["curl", "-fsS", "-o", "/dev/null", `http://127.0.0.1:${PORT}/health`],
        healthPath: "/health",
        weightsPath: "/models",
        weightsGib: Math.ceil(weights.gb * 1.5 + 2),
        memoryGib: Math.ceil(weights.gb + kvGb + 2),
        cpus: 4,
        startMinutes: 15,
        fetch: fetchTo("/models", weights),
      },
    },
    backend: { max_concurrent: slots, ...(gpus === 0 ? {} : { gpus }), tool_parser: "engine" },
    model: {
      name: model,
      upstream: model,
      dialect: facts.dialect,
      context,
      tools: facts.tools,
      defaults: facts.sampling,
    },
  };
}
