import { type Alarm, createAlarm } from "./alarm.ts";

/** The limits of an attempt's phases: armed for a phase, put off by every sign of life, fired at most once. */
export class Watchdog<Phase extends string> {
  readonly #onFire: (phase: Phase, ms: number) => void;
  readonly #extend: (phase: Phase) => number | undefined;
  readonly #alarm: Alarm;
  #phase: Phase | undefined;
  #ms = 0;

  /** `onFire` is told the phase that took too long, and its limit; `extend` may grant that phase more milliseconds. */
  constructor(
    onFire: (phase: Phase, ms: number) => void,
    extend: (phase: Phase) => number | undefined = () => undefined,
  ) {
    this.#onFire = onFire;
    this.#extend = extend;
    this.#alarm = createAlarm(() => this.#fire());
  }

  /** Begins a phase of at most `ms`; the phase before it is over. */
  arm(phase: Phase, ms: number): void {
    this.#phase = phase;
    this.#ms = ms;
    this.#alarm.set(ms);
  }

  /** A sign of life: the phase begins anew. */
  touch(): void {
    if (this.#phase !== undefined) this.#alarm.set(this.#ms);
  }

  stop(): void {
    this.#phase = undefined;
    this.#alarm.clear();
  }

  #fire(): void {
    const phase = this.#phase;
    if (phase === undefined) return;
    const more = this.#extend(phase);
    if (more !== undefined && more > 0) {
      this.#alarm.set(more);
      return;
    }
    this.#phase = undefined;
    this.#onFire(phase, this.#ms);
  }
}
