import {
  type Blackhole,
  type FaultInput,
  type KindName,
  type LogEntry,
  type RawExchange,
  type RawUpstream,
  type Simulator,
  type SimulatorInput,
  startBlackhole,
  startRawUpstream,
  startSimulator,
} from "../../packages/simulator/src/index.ts";

/** What befalls a primary: a fault of the simulator, its end, or a network that swallows what is sent to it. */
export type TableFault = FaultInput | { readonly kind: "dead" } | { readonly kind: "blackhole" };

/** Which of a pool's two engines. */
export type EngineName = "primary" | "fallback";

/** A pool as a scenario wants it; everything has a default. */
export interface PoolShape {
  /** Of the primary; the fallback is an SGLang. */
  readonly kind?: KindName;
  readonly primary?: Partial<SimulatorInput>;
  /** False = there is none. */
  readonly fallback?: Partial<SimulatorInput> | false;
  /** The fallback is an engine like the primary that says the same, and is asked for the same model after it. */
  readonly replicas?: boolean;
  /** Answers POST requests in the primary's place with bytes of its own; `words` is what the primary would say. */
  readonly raw?: (exchange: RawExchange, words: string) => void;
  /** An address in place of the primary's. */
  readonly url?: string;
  /** More members of the config's entries. */
  readonly settings?: {
    readonly primary?: object;
    readonly fallback?: object;
    readonly large?: object;
    readonly small?: object;
  };
}

/** A primary and a fallback engine, and their names in the gateway's config. */
export interface Pool {
  /** In the config: backends `primary` and `fallback`, models `large` and `small`; with a number behind them in all pools but the first. */
  readonly names: Readonly<Record<EngineName | "large" | "small", string>>;
  readonly primary: Simulator;
  readonly fallback: Simulator;
  readonly shape: PoolShape;
  /** What each engine says: numbered tokens, so that a lost, doubled or foreign one shows. */
  readonly words: Readonly<Record<EngineName, string>>;
  readonly raw: RawUpstream | undefined;
  /** The members of the config that make it known to a gateway. */
  readonly config: { readonly backends: object; readonly models: object };
  /** Sets a fault on the primary; where in a stream it strikes, at the third to the thirtieth token, is the seed's choice unless it says so. */
  strike(fault: TableFault): Promise<void>;
  /** POST requests that an engine has got. */
  posts(engine: EngineName): number;
  /** POST requests in an engine's log, oldest first; none for a raw primary. */
  seen(engine: EngineName): readonly LogEntry[];
  /** POST requests that an engine still works on. */
  open(engine: EngineName): number;
  close(): Promise<void>;
}

/** Tokens in each engine's answer unless the shape has a script of its own. */
export const TOKENS = 40;

const LETTERS = "abcdefghijklmnopqrstuvwxyz";

/** Numbered words under a mark that the seed chooses. */
function numberedWords(random: () => number, count: number): string[] {
  const mark = Array.from({ length: 3 }, () => LETTERS[Math.floor(random() * LETTERS.length)]).join("");
  return Array.from({ length: count }, (_, i) => `${mark}${i} `);
}

/** Starts both engines of a pool, the `index`th of its stage. */
export async function startPool(shape: PoolShape, index: number, random: () => number): Promise<Pool> {
  const { kind = "vllm", replicas = false } = shape;
  const primaryWords = numberedWords(random, TOKENS);
  const words = { primary: primaryWords, fallback: replicas ? primaryWords : numberedWords(random, TOKENS) };
  const fallbackShape = shape.fallback === false ? {} : shape.fallback;
  const primary = await startSimulator({
    kind,
    models: ["big"],
    script: [{ reply: { deltas: words.primary } }],
    ...shape.primary,
  });
  const fallback = await startSimulator({
    ...(replicas ? { kind, models: ["big"] } : { kind: "sglang", models: ["tiny"] }),
    script: [{ reply: { deltas: words.fallback } }],
    ...fallbackShape,
  });
  const engines = { primary, fallback };
  const said = { primary: words.primary.join(""), fallback: words.fallback.join("") };
  const { raw: answer } = shape;
  const raw = answer && (await startRawUpstream((exchange) => answer(exchange, said.primary), primary.url));
  let blackhole: Blackhole | undefined;
  const suffix = index === 0 ? "" : `-${index}`;
  const names = {
    primary: `primary${suffix}`,
    fallback: `fallback${suffix}`,
    large: `large${suffix}`,
    small: `small${suffix}`,
  };
  const posted = (name: EngineName): readonly LogEntry[] =>
    engines[name].log.filter(({ method, path }) => method === "POST" && path.startsWith("/v1/"));
  const isRaw = (name: EngineName): boolean => name === "primary" && raw !== undefined;
  return {
    names,
    primary,
    fallback,
    shape,
    words: said,
    raw,
    config: configOf(shape, names, shape.url ?? raw?.url ?? primary.url, fallback.url),
    async strike(fault) {
      if (fault.kind === "dead") return primary.kill();
      if (fault.kind === "blackhole") {
        await primary.kill();
        blackhole = await startBlackhole(primary.port);
        return;
      }
      primary.fault({ after_tokens: 3 + Math.floor(random() * (TOKENS - 12)), ...(fault as FaultInput) });
    },
    posts: (name) => (isRaw(name) ? raw!.requests.length : posted(name).length),
    seen: posted,
    open: (name) =>
      isRaw(name)
        ? raw!.open
        : posted(name).filter(({ endedAt, abortedAt }) => endedAt === undefined && abortedAt === undefined).length,
    async close() {
      blackhole?.close();
      await Promise.all([primary.close(), fallback.close(), raw?.close()]);
    },
  };
}

function configOf(shape: PoolShape, names: Pool["names"], primaryUrl: string, fallbackUrl: string): Pool["config"] {
  const { kind = "vllm", settings = {} } = shape;
  if (shape.replicas === true) {
    const on = [names.primary, names.fallback].map((backend) => ({ backend, model: "big" }));
    return {
      backends: {
        [names.primary]: { kind, url: primaryUrl, ...settings.primary },
        [names.fallback]: { kind, url: fallbackUrl, ...settings.fallback },
      },
      models: { [names.large]: { strategy: "ordered", on, ...settings.large } },
    };
  }
  const next = shape.fallback === false ? {} : { fallback: [names.small] };
  return {
    backends: {
      [names.primary]: { kind, url: primaryUrl, ...settings.primary },
      [names.fallback]: { kind: "sglang", url: fallbackUrl, ...settings.fallback },
    },
    models: {
      [names.large]: { on: [{ backend: names.primary, model: "big" }], ...next, ...settings.large },
      [names.small]: { on: [{ backend: names.fallback, model: "tiny" }], ...settings.small },
    },
  };
}
