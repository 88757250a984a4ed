import { kvRoom } from "./kv-room.ts";
import { modelFacts } from "./model-facts.ts";
import type { Choice, Recipe, RecipeKind, Scenario } from "./recipe.ts";

const facts = modelFacts["minimax-m2"];
const PORT = 30_000;
const SHARE = 0.85;

/** Tokens of a usual request: long sessions of few agents, or many shorter ones at once. */
const typical = { light: 65_536, balanced: 16_384, heavy: 8_192 } as const satisfies Record<Scenario, number>;

/** Memory of each GPU, by their number: the two sizes that the model's guide names. */
const gpuGb: Readonly<Record<number, number>> = { 4: 96, 8: 144 };

/** MiniMax-M2 on SGLang. */
export const sglang: RecipeKind = {
  checked: "SGLang 0.5.17, its server_args.py, and MiniMax-M2's guide to SGLang",
  models: { "minimax-m2": [facts.repository] },
  scenarios: ["light", "balanced", "heavy"],
  gpusOf: () => [4, 8],
  recipe,
};

function recipe(choice: Choice): Recipe {
  const { gpus, scenario } = choice;
  const room = kvRoom(facts, { gpus, gpuGb: gpuGb[gpus]!, share: SHARE, reserveGb: 0 }, typical[scenario]);
  return {
    kind: "sglang",
    choice,
    title: `MiniMax-M2 on SGLang, ${gpus} GPUs of ${gpuGb[gpus]} GB`,
    notes: [
      ...room.arithmetic,
      "The first load can take over half an hour: no request is sent there until /health is 200.",
      "The engine asks for no key: let nobody but the gateway reach its port.",
    ],
    launch: {
      environment: {},
      before: [],
      program: ["python3", "-m", "sglang.launch_server"],
      flags: [
        ["--model-path", facts.repository],
        ["--tp-size", String(gpus)],
        ...(gpus === 8 ? ([["--ep-size", "8"]] as const) : []),
        ["--tool-call-parser", "minimax-m2"],
        ["--reasoning-parser", "minimax-append-think"],
        ["--trust-remote-code"],
        ["--mem-fraction-static", String(SHARE)],
        ["--context-length", String(facts.context)],
        ["--max-running-requests", String(room.requests)],
        ["--enable-metrics"],
        ["--host", "0.0.0.0"],
        ["--port", String(PORT)],
      ],
      port: PORT,
      container: {
        image: "lmsysorg/sglang:v0.5.17",
        environment: { HF_HOME: "/weights" },
        health: ["curl", "-fsS", "-o", "/dev/null", `http://127.0.0.1:${PORT}/health`],
        healthPath: "/health",
        weightsPath: "/weights",
        weightsGib: 300,
        memoryGib: 128,
        cpus: 16,
        sharedMemoryGib: 32,
        startMinutes: 60,
      },
    },
    backend: {
      max_concurrent: room.requests,
      gpus,
      tool_parser: "engine",
      // A long prompt takes its time before the first token.
      timeouts: { first_token: "60s" },
    },
    model: {
      name: "minimax-m2",
      upstream: facts.repository,
      dialect: facts.dialect,
      // minimax-append-think puts the <think> before the text, which then does not begin inside the thought.
      reasoning_first: false,
      context: facts.context,
      tools: facts.tools,
      defaults: facts.sampling,
    },
  };
}
