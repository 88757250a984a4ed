import { periodAt } from "./period.ts";
import type { Span } from "./quota.ts";
import { createSlidingWindow, type SlidingWindow } from "./sliding-window.ts";

/** What does not fit until something that is under way ends; when that will be, nobody knows. */
export const UNTIL_SOMETHING_ENDS = -1;

/** Counts for one quota, in this process. `now` is in milliseconds of a clock that never goes back. */
export interface Counter {
  /** What counts now, with what is only held. */
  used(now: number): number;
  /** What counts now, without what is only held. */
  spent(now: number): number;
  /** 0 = `amount` more fits under `limit`; else milliseconds until it does, or UNTIL_SOMETHING_ENDS. */
  waitMs(now: number, amount: number, limit: number): number;
  /** Counts or holds `amount`; gives the place where it is counted. */
  take(now: number, amount: number): number;
  /** What was taken at `place` turned out to be `actual`. `lapsed`: its hold is over already. */
  settle(now: number, place: number, taken: number, actual: number, lapsed: boolean): void;
  /** What was taken at `place` came to nothing. */
  giveBack(now: number, place: number, taken: number): void;
  /** The hold on what was taken is over, and nobody said what came of it. */
  lapse(taken: number): void;
  /** Counts `amount` as used now. */
  seed(now: number, amount: number): void;
  /** Milliseconds until nothing counts any more, if nothing else comes. */
  resetMs(now: number): number;
}

/** Makes a counter for a span of time. `wallNow`: milliseconds since 1970. */
export function createCounter(span: Span, wallNow: () => number): Counter {
  if (span.kind === "window") return new WindowCounter(span.ms);
  return span.kind === "period" ? new PeriodCounter(span.every, wallNow) : new HeldCounter();
}

class WindowCounter implements Counter {
  readonly #window: SlidingWindow;

  constructor(ms: number) {
    this.#window = createSlidingWindow(ms);
  }

  used(now: number): number {
    return this.#window.used(now);
  }

  spent(now: number): number {
    return this.#window.used(now);
  }

  waitMs(now: number, amount: number, limit: number): number {
    return this.#window.waitMs(now, amount, limit);
  }

  take(now: number, amount: number): number {
    return this.#window.add(now, amount);
  }

  settle(now: number, place: number, taken: number, actual: number): void {
    this.#window.correct(now, place, actual - taken);
  }

  giveBack(now: number, place: number, taken: number): void {
    this.#window.correct(now, place, -taken);
  }

  lapse(): void {}

  seed(now: number, amount: number): void {
    this.#window.add(now, amount);
  }

  resetMs(now: number): number {
    return this.#window.resetMs(now);
  }
}

class PeriodCounter implements Counter {
  readonly #every: Extract<Span, { kind: "period" }>["every"];
  readonly #wallNow: () => number;
  #end = 0;
  #used = 0;
  #held = 0;

  constructor(every: Extract<Span, { kind: "period" }>["every"], wallNow: () => number) {
    this.#every = every;
    this.#wallNow = wallNow;
  }

  used(): number {
    this.#advance();
    return this.#used + this.#held;
  }

  spent(): number {
    this.#advance();
    return this.#used;
  }

  waitMs(_now: number, amount: number, limit: number): number {
    const time = this.#advance();
    if (this.#used + this.#held + amount <= limit) return 0;
    return this.#used + amount > limit ? Math.max(1, Math.ceil(this.#end - time)) : UNTIL_SOMETHING_ENDS;
  }

  take(_now: number, amount: number): number {
    this.#held += amount;
    return 0;
  }

  settle(_now: number, _place: number, taken: number, actual: number, lapsed: boolean): void {
    this.#advance();
    if (!lapsed) this.#held -= taken;
    this.#used += actual;
  }

  giveBack(_now: number, _place: number, taken: number): void {
    this.#held -= taken;
  }

  lapse(taken: number): void {
    this.#held -= taken;
  }

  seed(_now: number, amount: number): void {
    this.#advance();
    this.#used += amount;
  }

  resetMs(): number {
    const time = this.#advance();
    return this.#used + this.#held === 0 ? 0 : Math.max(1, Math.ceil(this.#end - time));
  }

  /** Begins a new period when the last one is over; what is held goes over into it. A clock that goes back changes nothing. */
  #advance(): number {
    const time = this.#wallNow();
    if (time >= this.#end) {
      this.#end = periodAt(time, this.#every).end;
      this.#used = 0;
    }
    return time;
  }
}

class HeldCounter implements Counter {
  #held = 0;

  used(): number {
    return this.#held;
  }

  spent(): number {
    return 0;
  }

  waitMs(_now: number, amount: number, limit: number): number {
    return this.#held + amount <= limit ? 0 : UNTIL_SOMETHING_ENDS;
  }

  take(_now: number, amount: number): number {
    this.#held += amount;
    return 0;
  }

  settle(_now: number, _place: number, taken: number, _actual: number, lapsed: boolean): void {
    if (!lapsed) this.#held -= taken;
  }

  giveBack(_now: number, _place: number, taken: number): void {
    this.#held -= taken;
  }

  lapse(taken: number): void {
    this.#held -= taken;
  }

  /** Slots are held by someone or free, never used up. */
  seed(): void {}

  resetMs(): number {
    return 0;
  }
}
