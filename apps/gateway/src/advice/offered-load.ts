import {
  type BackendHistory,
  type BackendSlice,
  type LoadHistory,
  type ModelHistory,
  type ModelSlice,
  WINDOW_SLICES,
} from "./load-history.ts";
import { strayOf } from "./sizing.ts";

/** Models on the same backends, whose load cannot be told apart: they are sized together. */
export interface ModelGroup {
  readonly models: readonly ModelHistory[];
  readonly backends: readonly BackendHistory[];
  /** All of them together, by slice. */
  readonly timeline: ReadonlyMap<number, GroupSlice>;
}

/** What one window says of a group. Counts and rates are of the whole group. */
export interface OfferedLoad {
  /** Requests that would be worked on at once if there were always room: the mean. */
  readonly load: number;
  /** The 95th percentile of the slices' means. */
  readonly peak: number;
  /** What backends are sized for: the mean, or what of the peak is more than chance. */
  readonly sized: number;
  /** Of the load, requests that did not come through these gateways. */
  readonly others: number;
  /** Of the load, what did: of several gateways it can be added up. */
  readonly own: number;
  /** Seconds of work for a request; undefined = none has ended. */
  readonly serviceSeconds: number | undefined;
  /** Waiting in the gateways' queue, on average. */
  readonly queued: number;
  /** Waiting in the engines' own queues, on average; null where none tells. */
  readonly engineQueued: number | null;
  readonly requests: number;
  readonly turnedAway: number;
  readonly limited: number;
  /** Attempts that ended, tokens of their replies, and the seconds that backends were busy with them. */
  readonly attempts: number;
  readonly outputTokens: number;
  readonly busySeconds: number;
  /** The mean of the engines that tell it; null where none does. */
  readonly kvUse: number | null;
  readonly seconds: number;
}

/** Others' requests are believed from here on: less is what probes and samples differ by. */
const OTHERS_LEAST = 1;
const OTHERS_SHARE = 0.1;
/** Means of slices stray by so many standard deviations without a change in the load: the highest of 15 does, roughly. */
const CHANCE = 2;

/** Groups of models by the set of their backends, in the order of the config. */
export function groupsOf({ models, backends }: LoadHistory): ModelGroup[] {
  const groups = Map.groupBy(models, ({ on }) => on.join("\u0000"));
  return [...groups.values()].map((same) => {
    const on = new Set(same[0]!.on);
    const own = backends.filter(({ name }) => on.has(name));
    return { models: same, backends: own, timeline: timelineOf(same, own) };
  });
}

/**
 * The load that was offered in the `length` slices before the slice `end`: a window, unless told otherwise. What is worked on is the load, by Little's law,
 * as long as everybody gets in. Those who wait are not added to it: they wait because others are worked on, and a queue
 * before 8 slots that are used for 95 % of the time is longer than all that is worked on. Added is what the slots did not get
 * to do: the work of those who were turned away, and of those by whom the queue grew.
 */
export function offeredLoad(
  group: ModelGroup,
  end: number,
  sliceMs: number,
  length: number = WINDOW_SLICES,
): OfferedLoad {
  const from = end - length;
  const seconds = sliceMs / 1000;
  const slices = Array.from({ length }, (_, at) => group.timeline.get(from + at) ?? NOTHING);
  const sum = (pick: (slice: GroupSlice) => number): number => slices.reduce((all, slice) => all + pick(slice), 0);
  const mean = (pick: (slice: GroupSlice) => number): number => sum(pick) / length;

  const inFlight = mean((slice) => slice.inFlight);
  const surplus = mean((slice) => slice.engineTotal) - mean((slice) => slice.toldInFlight);
  const others = surplus > Math.max(OTHERS_LEAST, OTHERS_SHARE * inFlight) ? surplus : 0;
  const attempts = sum((slice) => slice.attempts);
  const serviceSeconds = attempts === 0 ? undefined : (sum((slice) => slice.ownWork) * seconds) / attempts;
  const before = group.timeline.get(from - 1) ?? NOTHING;
  const owns = slices.map((slice, at) => {
    const grown = slice.waits - (slices[at - 1] ?? (before.isKnown ? before : slice)).waits;
    const kept = (serviceSeconds ?? 0) * ((slice.turnedAway + grown) / seconds);
    return Math.max(0, slice.ownWork + kept);
  });
  const loads = owns.map((own, at) => own + others * slices[at]!.workedOn);
  const load = meanOf(loads) ?? 0;
  const peak = percentile95(loads);
  const stray = strayOf({ load, serviceSeconds }, seconds);
  return {
    load,
    peak,
    sized: Math.max(load, peak - CHANCE * stray),
    others,
    own: meanOf(owns) ?? 0,
    serviceSeconds,
    queued: mean((slice) => slice.queued),
    engineQueued: slices.every((slice) => slice.engineQueued === null)
      ? null
      : mean((slice) => slice.engineQueued ?? 0),
    requests: sum((slice) => slice.requests),
    turnedAway: sum((slice) => slice.turnedAway),
    limited: sum((slice) => slice.limited),
    attempts,
    outputTokens: sum((slice) => slice.outputTokens),
    busySeconds: sum((slice) => slice.busy) * seconds,
    kvUse: meanOf(slices.flatMap((slice) => (slice.kvUse === null ? [] : [slice.kvUse]))),
    seconds: length * seconds,
  };
}

/** Requests of a slice that an engine worked on, of those that a gateway had there: the others were in the engine's queue. */
export function workOf({ in_flight, running, waiting }: BackendSlice, slots: number | null): number {
  if (running !== null) return in_flight * shareWorkedOn(running, waiting ?? 0);
  return Math.min(in_flight, slots ?? Number.POSITIVE_INFINITY);
}

const shareWorkedOn = (running: number, waiting: number): number => (waiting <= 0 ? 1 : running / (running + waiting));

interface GroupSlice {
  readonly isKnown: boolean;
  readonly inFlight: number;
  /** Of `inFlight`, what is at engines that tell their load. */
  readonly toldInFlight: number;
  /** What these engines have of all clients. */
  readonly engineTotal: number;
  /** Of what engines have, the share that they work on. */
  readonly workedOn: number;
  readonly ownWork: number;
  readonly queued: number;
  readonly engineQueued: number | null;
  /** In any queue. */
  readonly waits: number;
  readonly attempts: number;
  readonly outputTokens: number;
  readonly busy: number;
  readonly kvUse: number | null;
  readonly requests: number;
  readonly turnedAway: number;
  readonly limited: number;
}

function timelineOf(models: readonly ModelHistory[], backends: readonly BackendHistory[]): Map<number, GroupSlice> {
  const worked = backends.flatMap(({ slots, slices }) => slices.map((one) => ({ ...one, work: workOf(one, slots) })));
  const ofBackends = Map.groupBy(worked, ({ slice }) => slice);
  const ofModels = Map.groupBy(
    models.flatMap(({ slices }) => slices),
    ({ slice }) => slice,
  );
  const all = new Set([...ofBackends.keys(), ...ofModels.keys()]);
  return new Map([...all].map((slice) => [slice, together(ofBackends.get(slice) ?? [], ofModels.get(slice) ?? [])]));
}

type WorkedSlice = BackendSlice & { readonly work: number };

function together(ofBackends: readonly WorkedSlice[], ofModels: readonly ModelSlice[]): GroupSlice {
  const told = ofBackends.filter(({ running }) => running !== null);
  const total = <T>(rows: readonly T[], pick: (row: T) => number): number =>
    rows.reduce((all, row) => all + pick(row), 0);
  const running = total(told, (row) => row.running ?? 0);
  const waiting = total(told, (row) => row.waiting ?? 0);
  const inFlight = total(ofBackends, (row) => row.in_flight);
  const ownWork = total(ofBackends, (row) => row.work);
  const queued = total(ofModels, (row) => row.waiting);
  return {
    isKnown: ofBackends.length > 0,
    inFlight,
    toldInFlight: total(told, (row) => row.in_flight),
    engineTotal: running + waiting,
    workedOn: shareWorkedOn(running, waiting),
    ownWork,
    queued,
    engineQueued: told.length === 0 ? null : waiting,
    waits: queued + inFlight - ownWork,
    attempts: total(ofBackends, (row) => row.attempts),
    outputTokens: total(ofBackends, (row) => row.output_tokens),
    busy: total(ofBackends, (row) => row.busy),
    kvUse: meanOf(ofBackends.flatMap(({ kv_use }) => (kv_use === null ? [] : [kv_use]))),
    requests: total(ofModels, (row) => row.requests),
    turnedAway: total(ofModels, (row) => row.turned_away),
    limited: total(ofModels, (row) => row.limited),
  };
}

const meanOf = (values: readonly number[]): number | null =>
  values.length === 0 ? null : values.reduce((all, one) => all + one, 0) / values.length;

/** Between the two nearest ranks. */
function percentile95(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other);
  const rank = 0.95 * (sorted.length - 1);
  const low = Math.floor(rank);
  return sorted[low]! + (sorted[Math.min(low + 1, sorted.length - 1)]! - sorted[low]!) * (rank - low);
}

/** A slice in which nobody looked. */
const NOTHING = together([], []);
