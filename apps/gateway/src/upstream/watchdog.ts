/** One timer for the phases of an attempt: armed for a phase, put off by every sign of life, fired at most once. */
export interface Watchdog<Phase extends string> {
  /** Begins a phase of at most `ms`; the phase before it is over. */
  arm(phase: Phase, ms: number): void;
  /** A sign of life: the phase begins anew. */
  touch(): void;
  stop(): void;
}

/** A watchdog that calls `onFire` with the phase that took too long. `extend` may grant that phase more milliseconds. */
export function createWatchdog<Phase extends string>(
  onFire: (phase: Phase, ms: number) => void,
  extend: (phase: Phase) => number | undefined = () => undefined,
): Watchdog<Phase> {
  let timer: NodeJS.Timeout | undefined;
  let current: { phase: Phase; ms: number } | undefined;

  function fire(): void {
    if (current === undefined) return;
    const more = extend(current.phase);
    if (more !== undefined && more > 0) {
      timer = setTimeout(fire, more);
      return;
    }
    const { phase, ms } = current;
    current = undefined;
    onFire(phase, ms);
  }

  return {
    arm(phase, ms) {
      clearTimeout(timer);
      current = { phase, ms };
      timer = setTimeout(fire, ms);
    },
    touch() {
      timer?.refresh();
    },
    stop() {
      clearTimeout(timer);
      timer = undefined;
      current = undefined;
    },
  };
}
