import { Bag, type Bagged } from "../runtime/bag.ts";

/** How late an alarm may ring, in milliseconds. */
export const ALARM_TICK_MS = 25;

/** Rings once, some time after it was set, unless it is set anew or put off. */
export interface Alarm {
  /** Milliseconds from now. */
  set(ms: number): void;
  clear(): void;
}

class Entry implements Alarm, Bagged {
  place = -1;
  at = 0;
  readonly ring: () => void;

  constructor(ring: () => void) {
    this.ring = ring;
  }

  set(ms: number): void {
    this.at = performance.now() + ms;
    entries.add(this);
    if (ticking !== undefined) return;
    tickedAt = performance.now();
    ticking = setInterval(tick, ALARM_TICK_MS);
  }

  clear(): void {
    entries.delete(this);
  }
}

const entries = new Bag<Entry>();
let ticking: NodeJS.Timeout | undefined;
let tickedAt = 0;

function tick(): void {
  const now = performance.now();
  const heldUp = now - tickedAt > 2 * ALARM_TICK_MS;
  tickedAt = now;
  // This process was away: what came meanwhile lies in its sockets, and is read before those ring who wait for it.
  if (heldUp) setImmediate(ringDue);
  else ringDue();
}

function ringDue(): void {
  const now = performance.now();
  const { items } = entries;
  // From the end: taking one out moves the last into its place. A ring may take out others, too.
  for (let index = items.length - 1; index >= 0; index--) {
    const entry = items[index];
    if (entry === undefined || entry.at > now) continue;
    entry.clear();
    entry.ring();
  }
  if (entries.size === 0) {
    clearInterval(ticking);
    ticking = undefined;
  }
}

/**
 * An alarm on the one clock of the process: thousands of requests with several limits each share one timer, since setting
 * and clearing a timer of its own for each costs a request more than all of its accounting. Rings up to 25 ms late.
 */
export function createAlarm(ring: () => void): Alarm {
  return new Entry(ring);
}
