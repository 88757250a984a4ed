import { z } from "zod";
import type { Engine } from "./engine.ts";
import type { Fault, Strike } from "./fault.ts";
import { type FaultName, faults } from "./faults/registry.ts";
import type { Exchange } from "./http-server.ts";
import type { Endpoint } from "./kind.ts";

const endpoint = z.enum(["chat", "completions", "embeddings"]);

const Common = z.object({
  kind: z.enum(Object.keys(faults) as [FaultName, ...FaultName[]]),
  /** Tokens sent before it strikes. */
  after_tokens: z.number().int().min(0).default(3),
  /** Strikes so many requests, then is gone. */
  times: z.number().int().min(1).optional(),
  /** Share of the requests that it strikes, 0 to 1. */
  probability: z.number().min(0).max(1).default(1),
  /** Only requests on these paths; in place of `endpoints` and `probes`. */
  paths: z.array(z.string()).optional(),
  endpoints: z.array(endpoint).optional(),
  /** Also the engine's probe, listing and load endpoints. */
  probes: z.boolean().default(false),
});
const COMMON_KEYS: ReadonlySet<string> = new Set(Object.keys(Common.shape));

/** A fault as asked for: the common fields, and those of its kind. */
export type FaultInput = { kind: FaultName } & Partial<Omit<z.input<typeof Common>, "kind">> & Record<string, unknown>;

/** A fault that struck, ready to act. */
export interface ActiveStrike {
  readonly name: FaultName;
  readonly fault: Fault;
  readonly strike: Strike<unknown>;
}

/** The faults that are set now. */
export interface FaultBoard {
  /** Sets one more fault; throws an Error that names each wrong field. */
  set(input: unknown): FaultName;
  /** Throws as `set` does, and sets nothing. */
  check(input: unknown): void;
  clear(): void;
  /** The first fault that strikes this request, counted; undefined = none. `endpoint` is missing for probes. */
  strike(engine: Engine, exchange: Exchange, endpoint: Endpoint | undefined): ActiveStrike | undefined;
  list(): { kind: FaultName; left: number | null; probability: number }[];
}

interface SetFault {
  readonly name: FaultName;
  readonly fault: Fault;
  readonly common: z.infer<typeof Common>;
  readonly args: unknown;
  left: number;
}

function parse(input: unknown): SetFault {
  if (typeof input !== "object" || input === null || Array.isArray(input))
    throw new Error("a fault is an object with a kind");
  const given = Object.entries(input);
  const common = Common.safeParse(Object.fromEntries(given.filter(([key]) => COMMON_KEYS.has(key))));
  if (!common.success) throw new Error(describe(common.error));
  const fault: Fault = faults[common.data.kind];
  const args = fault.args.safeParse(Object.fromEntries(given.filter(([key]) => !COMMON_KEYS.has(key))));
  if (!args.success) throw new Error(`${common.data.kind}: ${describe(args.error)}`);
  const left = common.data.times ?? Number.POSITIVE_INFINITY;
  return { name: common.data.kind, fault, common: common.data, args: args.data, left };
}

function describe(error: z.ZodError): string {
  return error.issues.map((issue) => `${issue.path.join(".") || "fault"}: ${issue.message}`).join("; ");
}

function concerns(set: SetFault, path: string, endpoint: Endpoint | undefined): boolean {
  const { paths, endpoints, probes } = set.common;
  if (paths !== undefined) return paths.includes(path);
  if (endpoint === undefined) return probes;
  return endpoints === undefined || endpoints.includes(endpoint);
}

/** A fault of streams lets whole answers pass uncounted, and one of whole answers lets streams pass. */
function canAct(fault: Fault, exchange: Exchange): boolean {
  if (fault.applies?.(exchange) === false) return false;
  if (fault.answer !== undefined || fault.head !== undefined) return true;
  const streamed = /"stream"\s*:\s*true/.test(exchange.request.body.toString("latin1"));
  return (streamed ? fault.stream : fault.whole) !== undefined;
}

/** An empty board; `random` gives numbers in [0, 1) for probabilities. `onSet` hears of each fault that is set. */
export function createFaultBoard(random: () => number, onSet: (fault: Fault, args: unknown) => void): FaultBoard {
  let active: SetFault[] = [];
  return {
    set: (input) => {
      const set = parse(input);
      if (set.fault.set !== undefined) onSet(set.fault, set.args);
      else active.push(set);
      return set.name;
    },
    check: (input) => void parse(input),
    clear: () => {
      active = [];
    },
    strike: (engine, exchange, endpoint) => {
      for (const set of active) {
        if (!concerns(set, exchange.request.path, endpoint)) continue;
        if (!canAct(set.fault, exchange)) continue;
        if (set.common.probability < 1 && random() >= set.common.probability) continue;
        set.left -= 1;
        if (set.left <= 0) active = active.filter((other) => other !== set);
        const strike = { exchange, args: set.args, afterTokens: set.common.after_tokens, engine };
        return { name: set.name, fault: set.fault, strike };
      }
      return undefined;
    },
    list: () =>
      active.map((set) => ({
        kind: set.name,
        left: Number.isFinite(set.left) ? set.left : null,
        probability: set.common.probability,
      })),
  };
}
