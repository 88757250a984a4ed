import type { SizingGoal } from "./sizing.ts";

/** What a gateway saw of a backend over one slice of time. Means, where nothing else is said; null = the engine tells nothing. */
export interface BackendSlice {
  /** Which slice since 1970. */
  readonly slice: number;
  /** Attempts of this gateway that were under way. */
  readonly in_flight: number;
  /** Requests that the engine worked on, of all its clients. */
  readonly running: number | null;
  /** Requests in the engine's own queue, of all its clients. */
  readonly waiting: number | null;
  /** Share of its KV cache in use. */
  readonly kv_use: number | null;
  /** Share of the time in which this gateway had something under way there. */
  readonly busy: number;
  /** Attempts of this gateway that ended. */
  readonly attempts: number;
  /** Tokens of their replies. */
  readonly output_tokens: number;
}

/** What a gateway saw of requests to a model over one slice of time. */
export interface ModelSlice {
  readonly slice: number;
  /** Requests in this gateway's queue, on average. */
  readonly waiting: number;
  /** Requests that ended, however they did. */
  readonly requests: number;
  /** Of them, those that were refused for want of room. */
  readonly turned_away: number;
  /** Of them, those that a limit or a budget refused: no backend would change that. */
  readonly limited: number;
}

/** Where a backend stands: `by_hand` = drained or opened by an operator. */
export type Presence = "up" | "loading" | "down" | "by_hand";

/** A backend as it is now, and the slices that are known of it, the oldest first. */
export interface BackendHistory {
  readonly name: string;
  readonly presence: Presence;
  /** Requests that it may work on at once, as the config or else the engine says; null = nobody does. */
  readonly slots: number | null;
  /** Who says so. */
  readonly slots_from: "max_concurrent" | "engine" | null;
  readonly slices: readonly BackendSlice[];
}

export interface ModelHistory {
  readonly name: string;
  /** Its backends, sorted by name. */
  readonly on: readonly string[];
  readonly slices: readonly ModelSlice[];
}

/** The load of a pool over the last hour or so, in slices: as one gateway saw it, or several together. */
export interface LoadHistory {
  readonly scaling: Scaling;
  /** Milliseconds of a slice: a fifteenth of the window. */
  readonly slice_ms: number;
  /** The slice that is not over yet. */
  readonly now: number;
  /** Whole slices that each gateway has behind it. */
  readonly known: readonly number[];
  readonly backends: readonly BackendHistory[];
  readonly models: readonly ModelHistory[];
}

/** How a pool is to be sized, as the policy file says. */
export interface Scaling extends SizingGoal {
  /** Milliseconds of load that advice rests on. */
  readonly windowMs: number;
}

/** Slices of a window. */
export const WINDOW_SLICES = 15;
/** Windows that must agree before a backend is spare. */
export const SPARE_WINDOWS = 4;

/**
 * The load of replicas that share one pool: what each has under way, in its queue and done is added up; what the engines say
 * of themselves is the same for all, and the most of it counts.
 * @throws Error when their windows or goals differ.
 */
export function mergeHistories(histories: readonly LoadHistory[]): LoadHistory {
  const [first, ...others] = histories;
  if (first === undefined) throw new Error("there is no history to merge");
  for (const other of others) {
    if (JSON.stringify(other.scaling) !== JSON.stringify(first.scaling))
      throw new Error("the gateways do not have the same `defaults.scaling`: their advice cannot be put together");
  }
  return {
    scaling: first.scaling,
    slice_ms: first.slice_ms,
    now: Math.max(...histories.map(({ now }) => now)),
    known: histories.flatMap(({ known }) => known),
    backends: byName(histories.flatMap(({ backends }) => backends)).map(mergeBackends),
    models: byName(histories.flatMap(({ models }) => models)).map((same) => ({
      name: same[0]!.name,
      on: [...new Set(same.flatMap(({ on }) => on))].sort(),
      slices: mergeSlices(same, addModelSlices),
    })),
  };
}

function byName<T extends { readonly name: string }>(rows: readonly T[]): T[][] {
  return [...Map.groupBy(rows, ({ name }) => name).values()];
}

const presences: readonly Presence[] = ["up", "loading", "by_hand", "down"];

/** A backend that one of them reaches is up. */
function mergeBackends(same: readonly BackendHistory[]): BackendHistory {
  const presence = presences.find((each) => same.some((one) => one.presence === each))!;
  return { ...same[0]!, presence, slices: mergeSlices(same, addBackendSlices) };
}

function mergeSlices<S extends { readonly slice: number }>(
  same: readonly { readonly slices: readonly S[] }[],
  add: (one: S, other: S) => S,
): S[] {
  const merged = new Map<number, S>();
  for (const { slices } of same)
    for (const one of slices) {
      const before = merged.get(one.slice);
      merged.set(one.slice, before === undefined ? one : add(before, one));
    }
  return [...merged.values()].sort((one, other) => one.slice - other.slice);
}

const most = (one: number | null, other: number | null): number | null =>
  one === null || other === null ? (one ?? other) : Math.max(one, other);

function addBackendSlices(one: BackendSlice, other: BackendSlice): BackendSlice {
  return {
    slice: one.slice,
    in_flight: one.in_flight + other.in_flight,
    running: most(one.running, other.running),
    waiting: most(one.waiting, other.waiting),
    kv_use: most(one.kv_use, other.kv_use),
    busy: Math.max(one.busy, other.busy),
    attempts: one.attempts + other.attempts,
    output_tokens: one.output_tokens + other.output_tokens,
  };
}

function addModelSlices(one: ModelSlice, other: ModelSlice): ModelSlice {
  return {
    slice: one.slice,
    waiting: one.waiting + other.waiting,
    requests: one.requests + other.requests,
    turned_away: one.turned_away + other.turned_away,
    limited: one.limited + other.limited,
  };
}
