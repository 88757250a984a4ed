import type { CountName } from "./minute-counts.ts";
import type { ReportData, ReportStep } from "./report-data.ts";

type Labels = Readonly<Record<string, string>>;

/** Observations of a histogram: how many fell into each bucket. */
export interface Spread {
  readonly bounds: readonly number[];
  readonly counts: number[];
  sum: number;
}

interface Row {
  readonly labels: Labels;
  readonly bounds: readonly number[] | undefined;
  readonly numbers: number[];
}

/** What several gateways counted over some steps, added up by series. */
export class Tally {
  readonly #rows = new Map<CountName, Map<string, Row>>();

  /** Adds the steps that `wants` names. */
  constructor(gateways: readonly ReportData[], wants: (step: ReportStep) => boolean = () => true) {
    for (const { series, steps } of gateways) {
      const keys = series.map(({ count, labels }) => `${count}${JSON.stringify(labels)}`);
      for (const step of steps) {
        if (!wants(step)) continue;
        for (const [index, numbers] of step.added) this.#add(keys[index]!, series[index]!, numbers);
      }
    }
  }

  #add(key: string, { count, labels, bounds }: ReportData["series"][number], numbers: readonly number[]): void {
    const rows = this.#rows.get(count) ?? new Map<string, Row>();
    this.#rows.set(count, rows);
    const known = rows.get(key);
    if (known === undefined) rows.set(key, { labels, bounds, numbers: [...numbers] });
    else
      numbers.forEach((number, at) => {
        known.numbers[at] = (known.numbers[at] ?? 0) + number;
      });
  }

  /** The sum of a counter over the series that fit. */
  sum(count: CountName, fits: (labels: Labels) => boolean = () => true): number {
    let sum = 0;
    for (const { labels, numbers } of this.#rows.get(count)?.values() ?? []) if (fits(labels)) sum += numbers[0]!;
    return sum;
  }

  /** The sums of a counter by a label's values, the largest first. */
  by(count: CountName, label: string, fits: (labels: Labels) => boolean = () => true): [string, number][] {
    const sums = new Map<string, number>();
    for (const { labels, numbers } of this.#rows.get(count)?.values() ?? [])
      if (fits(labels)) sums.set(labels[label]!, (sums.get(labels[label]!) ?? 0) + numbers[0]!);
    return [...sums].filter(([, sum]) => sum !== 0).sort(([a, one], [b, other]) => other - one || (a < b ? -1 : 1));
  }

  /** All observations of a histogram over the series that fit; undefined = there are none. */
  spread(count: CountName, fits: (labels: Labels) => boolean = () => true): Spread | undefined {
    let spread: Spread | undefined;
    for (const { labels, bounds, numbers } of this.#rows.get(count)?.values() ?? []) {
      if (bounds === undefined || !fits(labels)) continue;
      spread ??= { bounds, counts: Array<number>(bounds.length + 1).fill(0), sum: 0 };
      for (let bucket = 0; bucket <= bounds.length; bucket++) spread.counts[bucket]! += numbers[bucket]!;
      spread.sum += numbers[bounds.length + 1]!;
    }
    return spread;
  }
}

/** How many observations there are. */
export const countOf = ({ counts }: Spread): number => counts.reduce((sum, one) => sum + one, 0);

/**
 * The value that a share `q` of the observations does not exceed, as far as buckets tell: in between their bounds it is
 * taken to rise evenly, and beyond the last bound it is that bound. Undefined without observations.
 */
export function quantileOf({ bounds, counts }: Spread, q: number): number | undefined {
  const rank = q * counts.reduce((sum, one) => sum + one, 0);
  if (rank === 0) return undefined;
  let below = 0;
  for (const [bucket, count] of counts.entries()) {
    if (below + count < rank || count === 0) {
      below += count;
      continue;
    }
    const low = bucket === 0 ? 0 : bounds[bucket - 1]!;
    const high = bounds[bucket];
    return high === undefined ? low : low + (high - low) * ((rank - below) / count);
  }
  return bounds.at(-1);
}
