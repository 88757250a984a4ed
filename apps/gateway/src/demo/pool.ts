import { kinds } from "@signalbox/backends";
import type { Config } from "../config/config.ts";
import { loadConfig } from "../config/load.ts";
import { formatError } from "../config/problems.ts";
import { composePolicy } from "../scan/compose-policy.ts";
import { renderPolicy } from "../scan/render-policy.ts";
import type { FoundEngine, ScanResult } from "../scan/scan-engines.ts";
import { simulatedPolicy } from "./simulated-policy.ts";
import { type RunningEngine, type SimulatedPool, startSimulatedPool } from "./simulated-pool.ts";

/** An engine as the demo shows it. */
export interface ShownEngine {
  readonly name: string;
  readonly title: string;
  readonly address: string;
  readonly models: readonly string[];
  readonly simulated: boolean;
  /** Of a process that the demo started. */
  readonly pid: number | undefined;
}

/** The engines behind the demo's gateway. */
export interface DemoPool {
  readonly engines: readonly ShownEngine[];
  /** The policy sends tools to a model that calls them. */
  readonly callsTools: boolean;
  /** How they came to be chosen, and which ports were stepped over; lines for people. */
  readonly notes: readonly string[];
  /** The policy for them, with listeners. */
  config(listen: string, admin: string): Promise<Config>;
  stop(): Promise<void>;
}

/** The engines that a scan found; undefined when none of them has a model that answers. */
export function foundPool({ engines, others }: ScanResult): DemoPool | undefined {
  const draft = composePolicy(engines);
  if (draft.models.length === 0) return undefined;
  const shown = draft.backends.map(({ name, engine }) => shownFound(name, engine));
  return {
    engines: shown,
    callsTools: false,
    notes: [
      `${engines.length === 1 ? "This engine was" : "These engines were"} found on this host and will be used as they are.`,
      ...others.map(({ address, what }) => `(${address} ${what})`),
    ],
    config: (listen, admin) => load(renderPolicy(draft, { listen, admin, others })),
    stop: async () => {},
  };
}

function shownFound(name: string, { kind, address, models, simulated }: FoundEngine): ShownEngine {
  return { name, title: kinds[kind].title, address, models: models.map(({ id }) => id), simulated, pid: undefined };
}

export interface SimulateOptions {
  /** Why engines are simulated: what begins the note on it. */
  readonly because: string;
  readonly anyPort: boolean;
  readonly reserved: Set<number>;
  onGone(engine: ShownEngine, comeBack: string): void;
}

/** Four simulated engines, each in a process of its own. */
export async function simulatedDemoPool({ because, anyPort, reserved, onGone }: SimulateOptions): Promise<DemoPool> {
  const pool: SimulatedPool = await startSimulatedPool({
    anyPort,
    reserved,
    onGone: (engine) => onGone(shownSimulated(engine), comeBack(engine)),
  });
  return {
    engines: pool.engines.map(shownSimulated),
    callsTools: true,
    notes: [
      `${because} These four are SIMULATED: they have the wire format and the pace of`,
      "the real ones, and made-up answers.",
      ...pool.engines.flatMap(({ taken, address, options }) =>
        taken.map((port) => portNote(port, `the simulated ${kinds[options.kind].title}`, address)),
      ),
    ],
    config: (listen, admin) => load(simulatedPolicy(pool.engines, listen, admin)),
    stop: pool.stop,
  };
}

/** `port 8080 is taken by another program: the gateway is on 8081` */
export function portNote(taken: number, who: string, address: string): string {
  return `Port ${taken} is taken by another program: ${who} is on ${new URL(address).port} instead.`;
}

function shownSimulated({ name, options, address, pid }: RunningEngine): ShownEngine {
  return { name, title: kinds[options.kind].title, address, models: options.models, simulated: true, pid };
}

/** The command that starts an engine of the pool again. */
function comeBack({ options, address }: RunningEngine): string {
  const { kind, models, tokensPerSecond, firstTokenMs } = options;
  const pace = `--tokens-per-second ${tokensPerSecond} --first-token-ms ${firstTokenMs}`;
  return `npx pnpm simulator --kind ${kind} --port ${new URL(address).port} --model ${models[0]} ${pace}`;
}

async function load(text: string): Promise<Config> {
  const loaded = await loadConfig(text, { env: {}, fileName: "demo.yaml" });
  if (loaded.ok) return loaded.config;
  throw new Error(`the demo's policy does not load: ${loaded.errors.map(formatError).join("; ")}`);
}
