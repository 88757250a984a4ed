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

/** Starts a simulated engine; rejects with a clear Error when the options are wrong or the port is taken. */
export async function startSimulator(input: SimulatorInput): Promise<Simulator> {
  const parsed = SimulatorOptions.safeParse(input);
  if (!parsed.success) {
    const places = parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`);
    throw new Error(`simulator: ${places.join("; ")}`);
  }
  const options = parsed.data;
  const kind: SimulatedKind = simulatedKinds[options.kind];
  const names = options.models.length > 0 ? options.models : kind.defaultModels;
  const slots = options.slots ?? kind.defaultSlots;
  const bound =
    kind.habits.queueBoundWhileLoading === true ? Number.MAX_SAFE_INTEGER : (options.queue ?? kind.defaultQueue);
  const admission = createAdmission(slots, bound);
  const random = createRandom(options.seed);
  let listener: HttpListener | undefined;
  let timer: NodeJS.Timeout | undefined;
  const listening = (): HttpListener => {
    if (listener === undefined) throw new Error("simulator: not listening yet");
    return listener;
  };
  const url = (): string =>
    `http://${options.host.includes(":") ? `[${options.host}]` : options.host}:${listening().port}`;
  const state: EngineState = {
    options,
    models: createModelStore(names, options.loadMs),
    running: admission.running,
    waiting: admission.waiting,
    slots,
    context: options.context ?? kind.defaultContext,
    startedAt: Math.floor(Date.now() / 1000),
    totals: { promptTokens: 0, generatedTokens: 0, requests: 0 },
    stopping: false,
    url,
  };
  const revive = async (): Promise<void> => {
    clearTimeout(timer);
    await listening().reopen();
  };
  const engine: Engine = {
    kind,
    state,
    admission,
    faults: createFaultBoard(createRandom(options.seed + 1), (fault, args) => fault.set?.(engine, args)),
    log: createRequestLog(),
    script: createScript(options.script),
    answers: new Map(),
    random,
    listener: listening,
    refuse: async (ms) => {
      clearTimeout(timer);
      await listening().close();
      if (ms !== undefined) timer = setTimeout(() => void revive(), ms);
    },
    revive,
  };
  const { idleMs, maxRequests } = kind.habits;
  listener = await listenHttp(options.host, options.port, { idleMs, maxRequests }, createDispatcher(engine));
  beginLoading(kind, engine);
  if (kind.habits.loading === "refuse_connections" && options.loadMs > 0) await engine.refuse(options.loadMs);
  return {
    url: url(),
    port: listening().port,
    kind: options.kind,
    models: names,
    log: engine.log.entries,
    fault: (fault) => void engine.faults.set(fault),
    clearFaults: async () => {
      engine.faults.clear();
      await revive();
    },
    stats: () => describeStats(engine),
    kill: () => engine.refuse(undefined),
    revive: async () => {
      state.models.reset();
      beginLoading(kind, engine);
      if (kind.habits.loading === "refuse_connections" && options.loadMs > 0) await engine.refuse(options.loadMs);
      else await revive();
    },
    close: async () => {
      clearTimeout(timer);
      await listening().close();
      state.models.reset();
    },
  };
}
