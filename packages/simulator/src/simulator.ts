import { createAdmission } from "./admission.ts";
import { describeStats } from "./control.ts";
import { createDispatcher } from "./dispatcher.ts";
import type { Engine } from "./engine.ts";
import type { EngineState } from "./engine-state.ts";
import { createFaultBoard, type FaultInput } from "./fault-board.ts";
import { type HttpListener, listenHttp } from "./http-server.ts";
import type { SimulatedKind } from "./kind.ts";
import { simulatedKinds } from "./kinds/registry.ts";
import { createModelStore } from "./model-store.ts";
import { type SimulatorInput, SimulatorOptions } from "./options.ts";
import { createRandom } from "./random.ts";
import { createRequestLog, type LogEntry } from "./request-log.ts";
import { createScript } from "./script.ts";

/** A running simulated engine. */
export interface Simulator {
  /** `http://127.0.0.1:PORT`, without a path. */
  readonly url: string;
  readonly port: number;
  readonly kind: SimulatorOptions["kind"];
  readonly models: readonly string[];
  /** Requests seen, oldest first; the last thousand at least. */
  readonly log: readonly LogEntry[];
  /** Sets one more fault, as `PUT /_sim/fault` does; throws an Error that names each wrong field. */
  fault(fault: FaultInput): void;
  /** Clears all faults, and listens again if it was refusing. */
  clearFaults(): Promise<void>;
  /** Totals, as `GET /_sim/stats`. */
  stats(): Record<string, unknown>;
  /** Dies: resets every connection and stops listening. */
  kill(): Promise<void>;
  /** Lives again on the same port, with its models to be loaded anew. */
  revive(): Promise<void>;
  close(): Promise<void>;
}

/** Models that are in memory from the start, where the kind is not one that loads on request. */
function beginLoading(kind: SimulatedKind, engine: Engine): void {
  const { models, options } = engine.state;
  const { loading } = kind.habits;
  if (
    loading === "never" ||
    loading === "refuse_connections" ||
    loading === "unavailable" ||
    (loading === "explicit" && options.loadMs === 0)
  ) {
    for (const name of models.names) void models.load(name);
  }
}

/** The listener of an engine, which may die and come back on its port. */
interface Lifeline {
  current(): HttpListener;
  refuse(ms: number | undefined): Promise<void>;
  revive(): Promise<void>;
  end(): Promise<void>;
}

const RETRY_MS = 100;

function createLifeline(listener: () => HttpListener | undefined): Lifeline {
  let timer: NodeJS.Timeout | undefined;
  let ended = false;
  const current = (): HttpListener => {
    const found = listener();
    if (found === undefined) throw new Error("simulator: not listening yet");
    return found;
  };
  const revive = async (): Promise<void> => {
    clearTimeout(timer);
    if (!ended) await current().reopen();
  };
  // Another program may have taken the port meanwhile.
  const comeBack = (): void => {
    revive().catch(() => {
      timer = setTimeout(comeBack, RETRY_MS);
    });
  };
  return {
    current,
    revive,
    refuse: async (ms) => {
      clearTimeout(timer);
      await current().close();
      if (ms !== undefined && !ended) timer = setTimeout(comeBack, ms);
    },
    end: async () => {
      ended = true;
      clearTimeout(timer);
      await current().close();
    },
  };
}

function createEngine(options: SimulatorOptions, lifeline: Lifeline): Engine {
  const kind: SimulatedKind = simulatedKinds[options.kind];
  const slots = options.slots ?? kind.defaultSlots;
  const bounded = kind.habits.queueBoundWhileLoading !== true;
  const queue = bounded ? (options.queue ?? kind.defaultQueue) : Number.MAX_SAFE_INTEGER;
  const admission = createAdmission(slots, queue);
  const host = options.host.includes(":") ? `[${options.host}]` : options.host;
  const state: EngineState = {
    options,
    models: createModelStore(options.models.length > 0 ? options.models : kind.defaultModels, options.loadMs),
    running: admission.running,
    waiting: admission.waiting,
    slots,
    context: options.context ?? kind.defaultContext,
    startedAt: Math.floor(Date.now() / 1000),
    totals: { promptTokens: 0, generatedTokens: 0, requests: 0 },
    stopping: false,
    url: () => `http://${host}:${lifeline.current().port}`,
  };
  const engine: Engine = {
    kind,
    state,
    admission,
    faults: createFaultBoard(createRandom(options.seed + 1), (fault, args) => fault.set?.(engine, args)),
    log: createRequestLog(),
    script: createScript(options.script),
    answers: new Map(),
    random: createRandom(options.seed),
    listener: lifeline.current,
    refuse: lifeline.refuse,
    revive: lifeline.revive,
  };
  return engine;
}

/** Starts a simulated engine; rejects with a clear Error when the options are wrong or the port is taken. */
export async function startSimulator(input: SimulatorInput): Promise<Simulator> {
  const parsed = SimulatorOptions.safeParse(input);
  if (!parsed.success) {
    const places = parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`);
    throw new Error(`simulator: ${places.join("; ")}`);
  }
  const options = parsed.data;
  let listener: HttpListener | undefined;
  const lifeline = createLifeline(() => listener);
  const engine = createEngine(options, lifeline);
  const { kind, state } = engine;
  const { idleMs, maxRequests, loading } = kind.habits;
  const begin = async (): Promise<void> => {
    beginLoading(kind, engine);
    if (loading === "refuse_connections" && options.loadMs > 0) await lifeline.refuse(options.loadMs);
    else await lifeline.revive();
  };
  listener = await listenHttp(options.host, options.port, { idleMs, maxRequests }, createDispatcher(engine));
  await begin();
  return {
    url: state.url(),
    port: listener.port,
    kind: options.kind,
    models: state.models.names,
    log: engine.log.entries,
    fault: (fault) => void engine.faults.set(fault),
    clearFaults: async () => {
      engine.faults.clear();
      await lifeline.revive();
    },
    stats: () => describeStats(engine),
    kill: () => lifeline.refuse(undefined),
    revive: async () => {
      state.models.reset();
      await begin();
    },
    close: async () => {
      await lifeline.end();
      state.models.reset();
    },
  };
}
