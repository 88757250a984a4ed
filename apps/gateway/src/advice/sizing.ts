/** What a pool of equal backends is to hold. */
export interface Demand {
  /** Requests that are worked on at once, on average: arrivals a second times seconds of work for each (Erlang). */
  readonly load: number;
  /** Mean seconds of work for a request; undefined = not known, and waiting is not reckoned with. */
  readonly serviceSeconds: number | undefined;
}

/** What is asked of it. */
export interface SizingGoal {
  /** Most use of its slots, on average, above 0 to 1. */
  readonly target: number;
  /** 95 % of requests wait at most so long for a slot. */
  readonly waitMs: number;
}

/** Share of requests that may wait longer than the goal says. */
const MAY_WAIT_LONGER = 0.05;
/** No pool is thought larger. */
const MOST_BACKENDS = 10_000;
const MOST_SLOTS = 1_000_000;

/**
 * The fewest backends of so many slots each that hold a demand: at least 1. Two rules, and the larger answer counts. Use of
 * slots stays under the target, which decides for large pools: they hardly queue at 95 %, and fall over at 105. And the
 * 95th percentile of waiting stays under the goal by Erlang's C formula, which decides for small ones: a single slot in use
 * for 70 % of the time lets 7 of 10 requests wait.
 */
export function backendsFor({ load, serviceSeconds }: Demand, slots: number, { target, waitMs }: SizingGoal): number {
  let backends = Math.max(1, Math.ceil(load / (slots * target) - 1e-9));
  if (serviceSeconds === undefined || serviceSeconds <= 0) return Math.min(backends, MOST_BACKENDS);
  while (backends < MOST_BACKENDS && backends * slots < MOST_SLOTS) {
    if (waitsLonger(load, backends * slots, waitMs / 1000 / serviceSeconds) <= MAY_WAIT_LONGER) break;
    backends++;
  }
  return Math.min(backends, MOST_BACKENDS);
}

/**
 * Erlang's C: the share of requests that wait longer than `wait` mean service times in a queue before `slots` servers, with
 * Poisson arrivals and service times that vary as exponential ones do (of language models they do: lengths of replies vary
 * so). Parts of a slot are left out. 1 when the load is more than the slots can work off.
 */
export function waitsLonger(load: number, slots: number, wait: number): number {
  const servers = Math.floor(slots + 1e-9);
  if (load <= 0) return 0;
  if (load >= servers) return 1;
  // Erlang's B, by its recursion: factorials would overflow.
  let blocked = 1;
  for (let n = 1; n <= servers; n++) blocked = (load * blocked) / (n + load * blocked);
  const waits = blocked / (1 - (load / servers) * (1 - blocked));
  return waits * Math.exp(-(servers - load) * wait);
}

/**
 * How far the mean over `seconds` of the number of requests under way strays by chance alone (one standard deviation), while
 * the demand stays what it is: that of Poisson arrivals with exponential service and no queue.
 */
export function strayOf({ load, serviceSeconds = 0 }: Demand, seconds: number): number {
  const ratio = serviceSeconds / seconds;
  if (ratio <= 0) return 0;
  return Math.sqrt(2 * load * ratio * (1 - ratio * (1 - Math.exp(-1 / ratio))));
}
