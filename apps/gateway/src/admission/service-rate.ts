/** So many ends must have been seen before their mean says something. */
const LEAST_SAMPLES = 4;
/** Of the mean, the part of each further end. */
const STEP = 1 / 16;

/** How fast a saturated backend frees slots: the mean time between two ends, while somebody waits. Times in milliseconds. */
export class ServiceRate {
  #meanMs = 0;
  #samples = 0;
  /** Undefined = nobody waits. */
  #lastAt: number | undefined;

  /** Somebody begins to wait. */
  start(now: number): void {
    this.#lastAt ??= now;
  }

  /** Nobody waits any more. What is known stays. */
  stop(): void {
    this.#lastAt = undefined;
  }

  /** An attempt has ended. */
  ended(now: number): void {
    if (this.#lastAt === undefined) return;
    this.#samples++;
    this.#meanMs += (now - this.#lastAt - this.#meanMs) * Math.max(STEP, 1 / this.#samples);
    this.#lastAt = now;
  }

  get isKnown(): boolean {
    return this.#samples >= LEAST_SAMPLES;
  }

  /** Mean milliseconds until the next slot is free, no less than since the last one; undefined = not known yet. */
  intervalMs(now: number): number | undefined {
    if (!this.isKnown) return undefined;
    return Math.max(this.#meanMs, this.#lastAt === undefined ? 0 : now - this.#lastAt);
  }
}
