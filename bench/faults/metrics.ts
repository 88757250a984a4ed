/** Label values that a series must have; others may be anything. */
export type Labels = Readonly<Record<string, string>>;

interface Series {
  readonly labels: Labels;
  readonly value: number;
}

/** What `/metrics` said at one moment. */
export class Scrape {
  readonly text: string;
  readonly #series = new Map<string, Series[]>();

  /** Reads Prometheus' text format. */
  constructor(text: string) {
    this.text = text;
    for (const line of text.split("\n")) {
      const found = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line);
      if (found === null) continue;
      const [, name = "", inner = "", value = ""] = found;
      const labels = Object.fromEntries(
        [...inner.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, label = "", text = ""]) => [label, text]),
      );
      const known = this.#series.get(name);
      if (known === undefined) this.#series.set(name, [{ labels, value: Number(value) }]);
      else known.push({ labels, value: Number(value) });
    }
  }

  /** Sum over all series of that name with these labels; 0 where there are none. */
  sum(name: string, labels: Labels = {}): number {
    let sum = 0;
    for (const series of this.#series.get(name) ?? []) {
      if (Object.entries(labels).every(([label, value]) => series.labels[label] === value)) sum += series.value;
    }
    return sum;
  }

  /** How many series there are, of all names. */
  get size(): number {
    let size = 0;
    for (const series of this.#series.values()) size += series.length;
    return size;
  }
}
