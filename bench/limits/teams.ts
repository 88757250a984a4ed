import { estimateTokens } from "../../packages/router/src/index.ts";
import { hashOf } from "../hostile/ready-gateway.ts";
import { promptTokens } from "../lab/talk.ts";
import type { Rule } from "./trace.ts";

/** What a policy says of one subject. */
interface LimitSet {
  readonly requests?: readonly [number, keyof typeof windows];
  readonly tokens?: readonly [number, keyof typeof windows];
  readonly concurrent?: number;
}

/** What a team's requests are like. */
export interface Wish {
  readonly stream: boolean;
  readonly tokens: number;
  readonly maxTokens: number | undefined;
  /** Words of the prompt beyond its number. */
  readonly words: number;
  readonly delayMs: number;
  readonly paceMs: number;
  readonly leaveAfter?: number;
}

/** A team and what it does. */
export interface TrafficTeam {
  readonly name: string;
  readonly limits: LimitSet;
  readonly perKey?: LimitSet;
  /** Of the model `large`. */
  readonly perModel?: LimitSet;
  /** How the requests are shared out over its keys. */
  readonly keys: readonly number[];
  /** Models and how its requests are shared out over them. */
  readonly asks: Readonly<Partial<Record<keyof typeof modelLimits, number>>>;
  readonly perSecond: number;
  /** How its clients are spread over the replicas, in parts of all; a single replica has them all. */
  readonly spread: readonly number[];
  /** Seconds of asking and of silence in turn. */
  readonly turns?: readonly [number, number];
  /** Asks one by one, and comes back when it is told to. */
  readonly polite?: boolean;
  /** The gateway's estimates are what the requests take. */
  readonly exact: boolean;
  wish(random: () => number): Wish;
}

/** Limits of all teams together. */
const modelLimits = {
  large: undefined,
  small: undefined,
  scarce: { requests: [28, "s"], tokens: [2700, "s"] },
} as const satisfies Record<string, LimitSet | undefined>;
const windows = { s: 1000, min: 60_000 } as const;
/** With so many words a prompt is estimated at what the engines say that it has. */
const EXACT_WORDS = 70;
const TOKENS_PER_MESSAGE = 4;
/** What a gateway holds ready for a reply whose length nobody told. */
const UNTOLD_TOKENS = 512;

const brief: Wish = { stream: false, tokens: 4, maxTokens: 4, words: EXACT_WORDS, delayMs: 0, paceMs: 0 };
const between = (random: () => number, least: number, most: number): number =>
  least + Math.floor(random() * (most - least + 1));

/** Says all that it may; half of them in pieces. */
function exactly(random: () => number): Wish {
  const tokens = between(random, 8, 40);
  return { ...brief, tokens, maxTokens: tokens, stream: random() < 0.5, paceMs: 10 };
}

/** Prompts of any length; replies that end before they must, and some that nobody told the length of, which may be long. */
function roughly(random: () => number): Wish {
  const words = between(random, 30, 110);
  if (random() < 0.75) {
    const tokens = between(random, 4, 64);
    return { ...brief, words, tokens, maxTokens: 64, stream: random() < 0.7, paceMs: 10 };
  }
  const tokens = random() < 0.6 ? between(random, 10, 300) : between(random, 400, 700);
  return { ...brief, words, tokens, maxTokens: undefined, delayMs: between(random, 20, 100) };
}

/** Streams of some 200 ms; of one in ten the client leaves. */
function slowly(random: () => number): Wish {
  const tokens = between(random, 10, 20);
  const wish = { ...brief, tokens, maxTokens: tokens, stream: true, paceMs: between(random, 20, 40) };
  return random() < 0.1 ? { ...wish, leaveAfter: 2 } : wish;
}

const even: readonly number[] = [0.25, 0.25, 0.25, 0.25];
const uneven: readonly number[] = [0.7, 0.1, 0.1, 0.1];
const alone: readonly number[] = [0, 1, 0, 0];
const plain = { keys: [1], asks: { large: 1, small: 1 }, exact: true, wish: () => brief } as const;

/** All its clients ask one replica: what that grants while replicas do not share tells them from one another. */
export const loneTeam = "lone";

/** Everybody who asks: under, near and far over their limits, in each sort of limit. */
export const trafficTeams: readonly TrafficTeam[] = [
  { ...plain, name: "under", limits: { requests: [60, "s"] }, perSecond: 20, spread: uneven },
  { ...plain, name: "near", limits: { requests: [30, "s"] }, perSecond: 28, spread: even },
  { ...plain, name: "far", limits: { requests: [30, "s"] }, perSecond: 90, spread: uneven },
  { ...plain, name: loneTeam, limits: { requests: [25, "s"] }, perSecond: 50, spread: alone },
  // Its minute is used up in half of one: what begins the next minute must not have it all at once.
  { ...plain, name: "minute", limits: { requests: [600, "min"] }, perSecond: 20, spread: uneven },
  { ...plain, name: "bursts", limits: { requests: [30, "s"] }, perSecond: 60, spread: even, turns: [1, 1.5] },
  { ...plain, name: "exact", limits: { tokens: [2500, "s"] }, perSecond: 35, spread: uneven, wish: exactly },
  { ...plain, name: "exact-minute", limits: { tokens: [40_000, "min"] }, perSecond: 10, spread: even, wish: exactly },
  {
    ...plain,
    name: "rough",
    limits: { tokens: [4000, "s"] },
    perSecond: 50,
    spread: uneven,
    wish: roughly,
    exact: false,
  },
  {
    ...plain,
    name: "rough-minute",
    limits: { requests: [900, "min"], tokens: [70_000, "min"] },
    perSecond: 14,
    spread: even,
    wish: roughly,
    exact: false,
  },
  { ...plain, name: "slots", limits: { concurrent: 6 }, perSecond: 40, spread: uneven, wish: slowly },
  {
    ...plain,
    name: "all",
    limits: { requests: [25, "s"], tokens: [2400, "s"], concurrent: 8 },
    perSecond: 30,
    spread: uneven,
    wish: slowly,
  },
  // One key wants more than its share, and both together more than the team has.
  {
    ...plain,
    name: "keys",
    limits: { requests: [25, "s"] },
    perKey: { requests: [20, "s"], tokens: [1600, "s"] },
    keys: [0.8, 0.2],
    perSecond: 35,
    spread: uneven,
  },
  {
    ...plain,
    name: "models",
    limits: { requests: [25, "s"] },
    perModel: { requests: [10, "s"], concurrent: 4 },
    asks: { large: 0.6, small: 0.4 },
    perSecond: 30,
    spread: even,
    wish: slowly,
  },
  { ...plain, name: "scarce-one", limits: { requests: [25, "s"] }, asks: { scarce: 1 }, perSecond: 22, spread: uneven },
  { ...plain, name: "scarce-two", limits: { tokens: [1600, "s"] }, asks: { scarce: 1 }, perSecond: 18, spread: alone },
  { ...plain, name: "polite", limits: { requests: [12, "s"] }, perSecond: 30, spread: even, polite: true },
  {
    ...plain,
    name: "polite-tokens",
    limits: { tokens: [1000, "s"] },
    perSecond: 30,
    spread: even,
    polite: true,
    wish: exactly,
  },
];

/** The team's key of this number. */
export const keyOf = (team: string, index: number): string => `sk-limits-${team}-${index}-5d1c70b94ae2`;

function limitText({ requests, tokens, concurrent }: LimitSet): Record<string, unknown> {
  return {
    ...(requests && { requests: requests.join("/") }),
    ...(tokens && { tokens: tokens.join("/") }),
    ...(concurrent && { concurrent }),
  };
}

/** The one policy of all replicas, for engines at these addresses. */
export function limitsPolicy(urls: readonly string[], store: string): Readonly<Record<string, unknown>> {
  const backends = urls.map((url, index) => [`engine-${index}`, { kind: "vllm", url, max_concurrent: 5000 }]);
  const on = urls.map((_, index) => ({ backend: `engine-${index}`, model: "lab" }));
  const models = Object.entries(modelLimits).map(([name, limits]) => [
    name,
    { on, context: "128k", tools: true, strategy: "round_robin", ...(limits && { limits: limitText(limits) }) },
  ]);
  const teams = trafficTeams.map(({ name, keys, limits, perKey, perModel }) => [
    name,
    {
      keys: keys.map((_, index) => hashOf(keyOf(name, index))),
      limits: {
        ...limitText(limits),
        ...(perKey && { per_key: limitText(perKey) }),
        ...(perModel && { per_model: { large: limitText(perModel) } }),
      },
    },
  ]);
  return {
    store,
    backends: Object.fromEntries(backends),
    models: Object.fromEntries(models),
    teams: Object.fromEntries(teams),
    defaults: { timeouts: { first_token: "10s", idle: "10s", total: "30s" } },
  };
}

const known = new Map<string, Rule>();

function rulesIn(owner: string, subject: string, set: LimitSet | undefined): Rule[] {
  if (set === undefined) return [];
  const listed: Pick<Rule, "meter" | "limit" | "windowMs">[] = [];
  if (set.requests) listed.push({ meter: "requests", limit: set.requests[0], windowMs: windows[set.requests[1]] });
  if (set.tokens) listed.push({ meter: "tokens", limit: set.tokens[0], windowMs: windows[set.tokens[1]] });
  if (set.concurrent) listed.push({ meter: "concurrent", limit: set.concurrent, windowMs: 0 });
  return listed.map((one) => {
    const id = `${subject}, ${one.meter}`;
    const rule = known.get(id) ?? { id, owner, ...one };
    known.set(id, rule);
    return rule;
  });
}

/** What a request of this team counts against. */
export function rulesOf(
  { name, limits, perKey, perModel }: TrafficTeam,
  key: number,
  model: ModelName,
): readonly Rule[] {
  return [
    ...rulesIn(name, name, limits),
    ...rulesIn(name, `${name}, key ${key}`, perKey),
    ...(model === "large" ? rulesIn(name, `${name} on large`, perModel) : []),
    ...rulesIn(model, `model ${model}`, modelLimits[model]),
  ];
}

const promptOf = (number: number, words: number): string =>
  `request #${String(number).padStart(8, "0")}${" signal".repeat(words)}`;

/** A model of the policy. */
export type ModelName = keyof typeof modelLimits;

/** The body of a request; engines find its plan by the number. */
export function chatBody(number: number, model: string, { stream, maxTokens, words }: Wish): string {
  return JSON.stringify({
    model,
    messages: [{ role: "user", content: promptOf(number, words) }],
    ...(maxTokens !== undefined && { max_tokens: maxTokens }),
    ...(stream && { stream: true, stream_options: { include_usage: true } }),
  });
}

/** What the gateway holds ready for it: its estimate of the prompt, and the longest reply. */
export const reservedFor = ({ maxTokens, words }: Wish): number =>
  TOKENS_PER_MESSAGE + estimateTokens(promptOf(0, words)) + (maxTokens ?? UNTOLD_TOKENS);

/** What a reply of so many tokens takes, by the engines' own count. */
export const usedBy = (tokens: number): number => promptTokens + tokens;
