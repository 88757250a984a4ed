import { type KvRoom, kvRoom } from "./kv-room.ts";
import { type KnownModel, type ModelFacts, modelFacts } from "./model-facts.ts";
import type { Choice, Flag, Recipe, RecipeKind, Scenario } from "./recipe.ts";

const PORT = 8000;

/** How a small model is served as its use grows: longer requests, more of them, and a larger GPU. */
const growth = {
  light: { length: 4_096, share: 0.8, sequences: 16, gpuGb: 24, flags: [] },
  balanced: {
    length: 8_192,
    share: 0.85,
    sequences: 64,
    gpuGb: 48,
    flags: [["--enable-prefix-caching"], ["--enable-chunked-prefill"]],
  },
  heavy: {
    length: 16_384,
    share: 0.9,
    sequences: 256,
    gpuGb: 80,
    flags: [["--enable-prefix-caching"], ["--enable-chunked-prefill"], ["--max-num-batched-tokens", "8192"]],
  },
} as const satisfies Record<
  Scenario,
  { length: number; share: number; sequences: number; gpuGb: number; flags: readonly Flag[] }
>;

/** Tokens of a usual request to a small model. */
const TYPICAL = 2_048;
/** The same for MiniMax-M2: long sessions of few agents, or many shorter ones at once. */
const typicalLarge = { light: 65_536, balanced: 16_384, heavy: 8_192 } as const satisfies Record<Scenario, number>;
/** For activations and captured graphs, on each GPU. */
const RESERVE_GB = 2;

interface Served {
  /** vLLM's parser of its tool calls; without one a request with tools is refused. */
  readonly toolParser?: string;
  readonly reasoningParser?: string;
  readonly gpus?: readonly number[];
  /** Larger GPUs than the scenario's, where its weights need them. */
  readonly gpuGb?: Readonly<Partial<Record<Scenario, number>>>;
  readonly note?: string;
}

const served = {
  "phi-3.5-mini": { note: "Its chat template has no place for tools: requests with tools go to another model." },
  "phi-4-mini": {
    note: "Its own chat template leaves `tools` out. With --enable-auto-tool-choice --tool-call-parser phi4_mini_json --chat-template and vLLM's examples/tool_chat_template_phi4_mini.jinja it calls them: then say `tools: true`.",
  },
  "phi-4": {
    gpuGb: { light: 48, balanced: 80 },
    note: "Its chat template has no place for tools: requests with tools go to another model.",
  },
  "qwen2.5-0.5b": { toolParser: "hermes" },
  "qwen2.5-coder-7b": { toolParser: "hermes" },
  "minimax-m2": { toolParser: "minimax_m2", reasoningParser: "minimax_m2_append_think", gpus: [4, 8] },
} as const satisfies Partial<Record<KnownModel, Served>>;

/** Small models on vLLM, one GPU each, and MiniMax-M2. */
export const vllm: RecipeKind = {
  checked: "vLLM 0.32.0, its --help, and MiniMax-M2's guide to vLLM",
  models: Object.fromEntries(Object.keys(served).map((name) => [name, [modelFacts[name as KnownModel].repository]])),
  scenarios: ["light", "balanced", "heavy"],
  gpusOf: (model) => (servedAs(model).gpus ?? [1]) as readonly number[],
  recipe,
};

const servedAs = (model: string): Served => served[model as keyof typeof served];

interface Sized {
  readonly room: KvRoom;
  readonly gpuGb: number;
  readonly length: number;
  readonly share: number;
}

function sizeOf(facts: ModelFacts, { model, gpus, scenario }: Choice): Sized {
  if (gpus > 1) {
    const memory = { gpus, gpuGb: gpus === 4 ? 96 : 144, share: 0.9, reserveGb: RESERVE_GB };
    return { ...memory, room: kvRoom(facts, memory, typicalLarge[scenario]), length: facts.context };
  }
  const { length, share, sequences } = growth[scenario];
  const memory = {
    gpus,
    gpuGb: servedAs(model).gpuGb?.[scenario] ?? growth[scenario].gpuGb,
    share,
    reserveGb: RESERVE_GB,
  };
  return { ...memory, room: kvRoom(facts, memory, TYPICAL, sequences), length };
}

function flagsOf({ model, gpus, scenario }: Choice, { room, length, share }: Sized): Flag[] {
  const { toolParser, reasoningParser } = servedAs(model);
  return [
    ...(gpus === 1
      ? []
      : ([["--trust-remote-code"], ["--tensor-parallel-size", String(gpus)]] as const satisfies Flag[])),
    // The model's guide: more than four GPUs need expert parallelism.
    ...(gpus === 8 ? ([["--enable-expert-parallel"]] as const) : []),
    ["--max-model-len", String(length)],
    ["--gpu-memory-utilization", String(share)],
    ["--max-num-seqs", String(room.requests)],
    ...growth[scenario].flags,
    ...(toolParser === undefined
      ? []
      : ([["--enable-auto-tool-choice"], ["--tool-call-parser", toolParser]] as const satisfies Flag[])),
    ...(reasoningParser === undefined ? [] : ([["--reasoning-parser", reasoningParser]] as const)),
    ["--host", "0.0.0.0"],
    ["--port", String(PORT)],
  ];
}

function recipe(choice: Choice): Recipe {
  const { model, gpus } = choice;
  const facts: ModelFacts = modelFacts[model as KnownModel];
  const sized = sizeOf(facts, choice);
  const { note, toolParser } = servedAs(model);
  const large = gpus > 1;
  return {
    kind: "vllm",
    choice,
    title: `${facts.title} on vLLM, ${gpus} GPU${large ? "s" : ""} of ${sized.gpuGb} GB`,
    notes: [
      ...sized.room.arithmetic,
      ...(note === undefined ? [] : [note]),
      large
        ? "The first load can take over half an hour: no request is sent there until /health is 200."
        : "The first load takes some minutes, download included: no request is sent there until /health is 200.",
      "The engine asks for no key: let nobody but the gateway reach its port.",
    ],
    launch: {
      // Reads the weights to the GPU faster, as the model's guide has it.
      environment: large ? { SAFETENSORS_FAST_GPU: "1" } : {},
      before: [],
      program: ["vllm", "serve", facts.repository],
      flags: flagsOf(choice, sized),
      port: PORT,
      container: {
        image: "vllm/vllm-openai:v0.32.0",
        environment: { HF_HOME: "/weights", VLLM_NO_USAGE_STATS: "1" },
        health: ["curl", "-fsS", "-o", "/dev/null", `http://127.0.0.1:${PORT}/health`],
        healthPath: "/health",
        weightsPath: "/weights",
        weightsGib: large ? 300 : Math.ceil(facts.weightsGb * 1.5 + 5),
        memoryGib: large ? 128 : Math.max(16, Math.ceil(facts.weightsGb * 1.2)),
        cpus: large ? 16 : 4,
        sharedMemoryGib: large ? 32 : 2,
        startMinutes: large ? 60 : 20,
      },
    },
    backend: {
      max_concurrent: sized.room.requests,
      gpus,
      ...(toolParser === undefined ? {} : { tool_parser: "engine" as const }),
      ...(large ? { timeouts: { first_token: "60s" } } : {}),
    },
    model: {
      name: model,
      upstream: facts.repository,
      dialect: facts.dialect,
      ...(large ? { reasoning_first: false } : {}),
      context: Math.min(sized.length, facts.context),
      tools: facts.tools,
      ...(facts.sampling === undefined ? {} : { defaults: facts.sampling }),
    },
  };
}
