/** What was used in the last `windowMs`, never under-counted: the basis of a limit that is never exceeded. */
export interface SlidingWindow {
  readonly windowMs: number;
  /** Used in the window that ends now. May exceed the limit when replies cost more than was reserved. */
  used(now: number): number;
  /** Milliseconds until `amount` more fits under `limit`, if nothing else comes; 0 = it fits now. `amount` is at most the limit. */
  waitMs(now: number, amount: number, limit: number): number;
  /** Counts `amount` from now on; gives the place where it is counted, for `correct`. */
  add(now: number, amount: number): number;
  /** What was counted at `place` is so much more, or less. When it has left the window, more counts from now on, and less changes nothing. */
  correct(now: number, place: number, difference: number): void;
  /** Milliseconds until the window is empty, if nothing else comes. */
  resetMs(now: number): number;
}

// What is used counts for at most 1/100 of a window too long, which is the price of a fixed size.
const slots = 100;

/** A window of fixed size in memory (101 numbers), exact to 1 % of its length and always on the safe side. */
export function createSlidingWindow(windowMs: number): SlidingWindow {
  const size = slots + 1;
  const width = windowMs / slots;
  const counts = new Float64Array(size);
  let newest = 0;
  let total = 0;

  /** Drops what has left the window. A clock that stands or goes back changes nothing. */
  function advance(now: number): void {
    const slot = Math.floor(now / width);
    if (slot <= newest) return;
    if (slot - newest >= size) {
      counts.fill(0);
      total = 0;
    } else {
      for (let gone = newest + 1; gone <= slot; gone++) {
        const index = gone % size;
        total -= counts[index]!;
        counts[index] = 0;
      }
    }
    newest = slot;
  }

  /** When what is counted in `slot` leaves the window. */
  const leavesIn = (slot: number, now: number) => Math.max(1, Math.ceil((slot + size) * width - now));

  return {
    windowMs,
    used(now) {
      advance(now);
      return total;
    },
    waitMs(now, amount, limit) {
      advance(now);
      let excess = total + amount - limit;
      if (excess <= 0) return 0;
      for (let slot = Math.max(0, newest - slots); slot <= newest; slot++) {
        excess -= counts[slot % size]!;
        if (excess <= 0) return leavesIn(slot, now);
      }
      return leavesIn(newest, now);
    },
    add(now, amount) {
      advance(now);
      counts[newest % size]! += amount;
      total += amount;
      return newest;
    },
    correct(now, place, difference) {
      advance(now);
      const left = place <= newest - size;
      if (left && difference < 0) return;
      const index = (left ? newest : place) % size;
      const change = Math.max(difference, -counts[index]!);
      counts[index]! += change;
      total += change;
    },
    resetMs(now) {
      advance(now);
      if (total <= 0) return 0;
      let slot = newest;
      while (slot > newest - size && counts[(slot + size) % size] === 0) slot--;
      return leavesIn(slot, now);
    },
  };
}
