/** How often the event loop is asked how late it is. */
const SAMPLE_MS = 50;
/** Samples in a row that must agree: a pause is one late sample, however long; a loop that lags makes every one late. */
const SAMPLES = 3;
/** Below this share of the threshold the loop has caught up; between the two nothing changes. */
const CALM = 0.5;
/** The first step, and how much of what is still admitted each further one takes away. */
const FIRST_SHARE = 0.5;
const STEP = 0.3;
/** Some are always admitted: who is at work shows whether there is room again. */
const MOST_SHARE = 0.95;
/** Each calm sample takes away a fifth; the rest of a twentieth goes at once. */
const EASE = 0.8;
const LEAST_SHARE = 0.05;

/**
 * How late the event loop is, and what share of new requests is to be refused for it. The lag that counts is the least of
 * the last three samples. While it is over the threshold the share grows; it falls when the lag is under half of that.
 */
export class LagWatch {
  /** Of new requests, 0 to 1. */
  share = 0;
  /** Milliseconds; the least of the last samples. */
  lagMs = 0;
  thresholdMs: number;
  readonly #onChange: (shedding: boolean) => void;
  readonly #last: number[] = new Array(SAMPLES).fill(0);
  #next = 0;
  #timer: NodeJS.Timeout | undefined;

  /** A threshold of 0 = nothing is refused. `onChange` is told when refusing begins and ends. */
  constructor(thresholdMs: number, onChange: (shedding: boolean) => void) {
    this.thresholdMs = thresholdMs;
    this.#onChange = onChange;
  }

  /** Samples from now on; its timer does not keep the process alive. */
  start(): void {
    let before = performance.now();
    this.#timer = setInterval(() => {
      const now = performance.now();
      this.observe(Math.max(0, now - before - SAMPLE_MS));
      before = now;
    }, SAMPLE_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Takes one sample: by how many milliseconds a timer was late. */
  observe(lateMs: number): void {
    this.#last[this.#next] = lateMs;
    this.#next = (this.#next + 1) % SAMPLES;
    this.lagMs = Math.min(...this.#last);
    const before = this.share;
    if (this.thresholdMs > 0 && this.lagMs > this.thresholdMs) this.share = grown(before);
    else if (this.thresholdMs === 0 || lateMs < this.thresholdMs * CALM) this.share = eased(before);
    if ((before === 0) !== (this.share === 0)) this.#onChange(this.share > 0);
  }
}

function grown(share: number): number {
  return share === 0 ? FIRST_SHARE : Math.min(MOST_SHARE, share + (1 - share) * STEP);
}

function eased(share: number): number {
  return share < LEAST_SHARE ? 0 : share * EASE;
}
