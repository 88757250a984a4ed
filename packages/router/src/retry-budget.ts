/** Decides whether one more retry is worth the load, so that an outage is not multiplied by retries. */
export interface RetryBudget {
  /** Counts a request of a client (not its retries). */
  request(): void;
  /** Takes a retry out of the budget; false = there is none left. */
  take(): boolean;
  /** Puts a retry back that was taken and not made. */
  giveBack(): void;
  /** From now on retries per request of the last 10 s; what was counted stays. */
  setRatio(ratio: number): void;
}

export interface RetryBudgetOptions {
  /** Retries per request of the last 10 s; 0.2 unless told. */
  readonly ratio?: number;
  /** Retries per second that are always granted, so that quiet hours can retry too; 10 unless told. */
  readonly floorPerSecond?: number;
  /** Milliseconds, never going back. */
  now(): number;
}

const WINDOW_SECONDS = 10;

/** A budget over a sliding window of 10 s: `ratio` of the requests, plus a floor. Constant memory. */
export function createRetryBudget(options: RetryBudgetOptions): RetryBudget {
  const { floorPerSecond = 10, now } = options;
  let { ratio = 0.2 } = options;
  const requests = new Float64Array(WINDOW_SECONDS);
  const retries = new Float64Array(WINDOW_SECONDS);
  let second = Math.floor(now() / 1000);
  let floor = floorPerSecond;
  let floorAt = now();

  const advance = (): number => {
    const current = Math.floor(now() / 1000);
    const passed = Math.min(WINDOW_SECONDS, current - second);
    for (let step = 1; step <= passed; step++) {
      const slot = (second + step) % WINDOW_SECONDS;
      requests[slot] = 0;
      retries[slot] = 0;
    }
    second = Math.max(second, current);
    return second % WINDOW_SECONDS;
  };

  const takeFloor = (): boolean => {
    const time = now();
    floor = Math.min(floorPerSecond, floor + ((time - floorAt) / 1000) * floorPerSecond);
    floorAt = time;
    if (floor < 1) return false;
    floor--;
    return true;
  };

  return {
    request() {
      const slot = advance();
      requests[slot]! += 1;
    },
    take() {
      const slot = advance();
      const used = retries.reduce((sum, count) => sum + count, 0);
      const earned = requests.reduce((sum, count) => sum + count, 0) * ratio;
      if (used + 1 > earned) return takeFloor();
      retries[slot]! += 1;
      return true;
    },
    giveBack() {
      const slot = advance();
      if (retries[slot]! > 0) retries[slot]! -= 1;
      else floor = Math.min(floorPerSecond, floor + 1);
    },
    setRatio(next) {
      ratio = next;
    },
  };
}
