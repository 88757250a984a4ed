import { type LoadHistory, type Presence, SPARE_WINDOWS, WINDOW_SLICES } from "./load-history.ts";
import { groupsOf, type ModelGroup, type OfferedLoad, offeredLoad } from "./offered-load.ts";
import { backendsFor } from "./sizing.ts";
import { type Slots, slotsOf } from "./slots.ts";

/** What to do about the backends of some models. */
export interface Advice {
  /** Models that have the same backends: they share the advice. */
  readonly models: readonly string[];
  readonly backends: readonly string[];
  /** Other models that use some of these backends. */
  readonly shared_with: readonly string[];
  /**
   * `bring_back`: some are down, and the load wants them. `unknown_slots`: the load finds room, and nobody says how much
   * there is.
   */
  readonly state: "not_enough_data" | "bring_back" | "add" | "enough" | "spare" | "unknown_slots";
  /** The same for people, with what is down before all else. */
  readonly say: string;
  readonly up: number;
  readonly loading: readonly string[];
  readonly down: readonly string[];
  /** Drained or opened by an operator: none of them is asked back. */
  readonly by_hand: readonly string[];
  /** Backends that the load wants; null = not known yet. */
  readonly wanted: number | null;
  /** To be added, beside those that are down. */
  readonly missing: number;
  readonly spare: number;
  /** What that rests on; null = not known yet. */
  readonly numbers: AdviceNumbers | null;
}

/** The numbers of the window. Requests at once, where nothing else is said; null = nobody tells. */
export interface AdviceNumbers {
  readonly load: number;
  readonly peak: number;
  /** What the answer was reckoned with: of the peak, only what is more than chance. */
  readonly sized_for: number;
  readonly from_others: number;
  readonly slots_per_backend: number;
  readonly slots_from: Slots["from"];
  /** Of the slots of backends that are up, 0 to 1 and more; null while none is. */
  readonly load_ratio: number | null;
  readonly service_seconds: number | null;
  readonly requests_per_second: number;
  readonly queued: number;
  readonly queue_seconds: number | null;
  readonly engine_queued: number | null;
  readonly turned_away: number;
  readonly limited: number;
  /** Of each backend, while it was busy. */
  readonly requests_per_busy_second: number | null;
  readonly output_tokens_per_busy_second: number | null;
  readonly kv_use: number | null;
}

/** To be thought spare, a backend must not be needed for so much more than the load was. */
const SPARE_MARGIN = 1.15;
/** In queues on average: from here on backends that say nothing of their slots are full. */
const QUEUE_STANDS = 0.5;

/**
 * Says for each group of models with the same backends how many of these the load wants. More are asked for when the last
 * window wants more than are up; one is called spare only when each of the last four windows, and 15 % more than their load,
 * would have done without. Between the two there is a gap, so that load that strays changes nothing.
 */
export function adviseOn(history: LoadHistory): Advice[] {
  const groups = groupsOf(history);
  return groups.map((group) => adviseGroup(history, group, groups));
}

function adviseGroup(history: LoadHistory, group: ModelGroup, groups: readonly ModelGroup[]): Advice {
  const { models, backends } = group;
  const names = backends.map(({ name }) => name);
  const having = (presence: Presence) => backends.filter((one) => one.presence === presence).map(({ name }) => name);
  const others = groups.filter((other) => other !== group && other.backends.some(({ name }) => names.includes(name)));
  const [up, loading, down] = [having("up").length, having("loading"), having("down")];
  const base = {
    models: models.map(({ name }) => name),
    backends: names,
    shared_with: others.flatMap((other) => other.models.map(({ name }) => name)),
    up,
    loading,
    down,
    by_hand: having("by_hand"),
  };
  const known = Math.max(0, ...history.known);
  if (known < WINDOW_SLICES) {
    const say = `not enough data: ${lengthOf(history, known)} of ${lengthOf(history, WINDOW_SLICES)}`;
    const told = withDown(say, down);
    return { ...base, state: "not_enough_data", say: told, wanted: null, missing: 0, spare: 0, numbers: null };
  }
  const window = offeredLoad(group, history.now, history.slice_ms);
  const slots = slotsOfGroup(group);
  const verdict = judge(history, group, { window, slots, present: up + loading.length });
  const numbers = numbersOf(window, slots, up);
  return { ...base, ...inWords(verdict, { up, loading, down, slots }), numbers };
}

interface Verdict {
  readonly wanted: number;
  readonly isGuess: boolean;
}

interface Facts {
  readonly window: OfferedLoad;
  readonly slots: Slots;
  /** Backends that are up, or will be without anybody's doing. */
  readonly present: number;
}

function judge(history: LoadHistory, group: ModelGroup, { window, slots, present }: Facts): Verdict {
  const { scaling, now, slice_ms } = history;
  const isCrowded = window.turnedAway > 0 || window.queued + (window.engineQueued ?? 0) >= QUEUE_STANDS;
  // A backend that takes whatever comes has not shown yet what would be too much.
  if (slots.from === "reached" && !isCrowded) return { wanted: Math.max(1, present), isGuess: true };
  const wants = ({ sized, serviceSeconds }: OfferedLoad, margin: number): number =>
    backendsFor({ load: sized * margin, serviceSeconds }, slots.count, scaling);
  const least = wants(window, 1);
  if (present <= least || Math.min(...history.known) < WINDOW_SLICES * SPARE_WINDOWS)
    return { wanted: Math.max(least, present), isGuess: false };
  let most = 1;
  for (let back = 0; back < SPARE_WINDOWS; back++)
    most = Math.max(most, wants(offeredLoad(group, now - back * WINDOW_SLICES, slice_ms), SPARE_MARGIN));
  return { wanted: Math.min(present, Math.max(least, most)), isGuess: false };
}

interface Standing {
  readonly up: number;
  readonly loading: readonly string[];
  readonly down: readonly string[];
  readonly slots: Slots;
}

function inWords({ wanted, isGuess }: Verdict, { up, loading, down, slots }: Standing) {
  const present = up + loading.length;
  const short = Math.max(0, wanted - present);
  const back = Math.min(short, down.length);
  const missing = short - back;
  const spare = Math.max(0, present - wanted);
  const result = (state: Advice["state"], say: string) => ({ state, say, wanted, missing, spare });
  if (back > 0) {
    const which = back === down.length ? down.join(", ") : `${back} of ${down.join(", ")}`;
    return result("bring_back", `down: bring back ${which}${missing > 0 ? `, and add ${missing}` : ""}`);
  }
  if (missing > 0) return result("add", `add ${missing}`);
  if (spare > 0) return result("spare", withDown(`${spare} spare`, down));
  if (isGuess) {
    const say = `enough; slots not known, it took ${Math.ceil(slots.count)} at once: set max_concurrent`;
    return result("unknown_slots", withDown(say, down));
  }
  return result(
    "enough",
    withDown(loading.length > 0 ? `enough when ${loading.join(", ")} is loaded` : "enough", down),
  );
}

function withDown(say: string, down: readonly string[]): string {
  if (down.length === 0) return say;
  return `${down.join(", ")} ${down.length === 1 ? "is" : "are"} down; ${say}`;
}

/** The mean of the backends, and where the smallest has its number from. */
export function slotsOfGroup({ backends }: ModelGroup): Slots {
  const all = backends.map(slotsOf);
  const known = all.filter(({ from }) => from !== "reached");
  const [first, ...others] = known.length > 0 ? known : all;
  const least = others.reduce((small, one) => (one.count < small.count ? one : small), first!);
  const counted = known.length > 0 ? known : all;
  return { count: counted.reduce((sum, { count }) => sum + count, 0) / counted.length, from: least.from };
}

function numbersOf(window: OfferedLoad, slots: Slots, up: number): AdviceNumbers {
  const { attempts, busySeconds, outputTokens, requests, queued, seconds, turnedAway } = window;
  const per = (amount: number, of: number): number | null => (of === 0 ? null : round(amount / of));
  return {
    load: round(window.load),
    peak: round(window.peak),
    sized_for: round(window.sized),
    from_others: round(window.others),
    slots_per_backend: round(slots.count),
    slots_from: slots.from,
    load_ratio: per(window.load, slots.count * up),
    service_seconds: window.serviceSeconds === undefined ? null : round(window.serviceSeconds),
    requests_per_second: round(requests / seconds),
    queued: round(queued),
    queue_seconds: per(queued * seconds, requests),
    engine_queued: window.engineQueued === null ? null : round(window.engineQueued),
    turned_away: turnedAway,
    limited: window.limited,
    requests_per_busy_second: per(attempts, busySeconds),
    output_tokens_per_busy_second: per(outputTokens, busySeconds),
    kv_use: window.kvUse === null ? null : round(window.kvUse),
  };
}

const round = (value: number): number => Math.round(value * 1000) / 1000;

/** So many slices as people say it: `3 min`, `45 s`. */
function lengthOf({ slice_ms }: LoadHistory, slices: number): string {
  const seconds = (slices * slice_ms) / 1000;
  return seconds >= 60 ? `${round(seconds / 60)} min` : `${round(seconds)} s`;
}
