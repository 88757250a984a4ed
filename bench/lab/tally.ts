import type { Labels, Scrape } from "../faults/metrics.ts";

/** Counts kept in the form of Signalbox' counters, to be held against them. */
export class Tally {
  readonly #series = new Map<string, { readonly name: string; readonly labels: Labels; count: number }>();

  get size(): number {
    return this.#series.size;
  }

  /** The names that something was counted for, without `signalbox_`. */
  get names(): readonly string[] {
    return [...new Set([...this.#series.values()].map(({ name }) => name))];
  }

  /** What was counted for a name, all series together. */
  total(name: string): number {
    return this.#of(name).reduce((sum, { count }) => sum + count, 0);
  }

  /** How many series of a name were counted. */
  seriesOf(name: string): number {
    return this.#of(name).length;
  }

  #of(name: string) {
    return [...this.#series.values()].filter((series) => series.name === name);
  }

  /** `name` without `signalbox_`. Labels that are not given are summed over in the metric. */
  add(name: string, labels: Labels, count = 1): void {
    const key = `${name}${JSON.stringify(labels)}`;
    const series = this.#series.get(key);
    if (series === undefined) this.#series.set(key, { name, labels, count });
    else series.count += count;
  }

  /** Series that differ, and counters that have counted more in all than was counted here. */
  differences(scrape: Scrape): string[] {
    const found: string[] = [];
    const totals = new Map<string, number>();
    for (const { name, labels, count } of this.#series.values()) {
      totals.set(name, (totals.get(name) ?? 0) + count);
      const is = scrape.sum(`signalbox_${name}`, labels);
      if (is !== count) found.push(`${name}${JSON.stringify(labels)}: ${is}, counted ${count}`);
    }
    for (const [name, count] of totals) {
      const is = scrape.sum(`signalbox_${name}`);
      if (is !== count) found.push(`${name} in all: ${is}, counted ${count}`);
    }
    return found;
  }
}
