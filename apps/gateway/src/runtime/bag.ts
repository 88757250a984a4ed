/** A thing that knows its place in a bag; -1 = in none. */
export interface Bagged {
  place: number;
}

/**
 * An unordered collection for what comes and goes with every request, at constant cost and without garbage. A Set used so
 * leaves a chain of outgrown tables behind: once the first is old, V8's young collections keep all that follow it, and
 * every request they name, until the next full one.
 */
export class Bag<T extends Bagged> {
  readonly items: T[] = [];

  get size(): number {
    return this.items.length;
  }

  /** Adding what is there already changes nothing. */
  add(item: T): void {
    if (item.place >= 0) return;
    item.place = this.items.length;
    this.items.push(item);
  }

  /** Taking out what is not there changes nothing. The last item takes the empty place. */
  delete(item: T): void {
    const { place } = item;
    if (place < 0) return;
    item.place = -1;
    const last = this.items.pop()!;
    if (last === item) return;
    last.place = place;
    this.items[place] = last;
  }
}
