import { isDeepStrictEqual } from "node:util";

/**
 * Who saw it: the client on its wire, the engines in their logs, the gateway in its metrics (what /proc tells of its process among them)
 * or in its own log.
 */
export type Side = "client" | "engines" | "metrics" | "log";

/** What was looked at in one scenario, and what was not as promised. */
export class Checks {
  readonly failures: string[];
  readonly counts: Record<Side, number>;
  readonly #place: string;

  constructor(place = "", parent?: Checks) {
    this.#place = place;
    this.failures = parent?.failures ?? [];
    this.counts = parent?.counts ?? { client: 0, engines: 0, metrics: 0, log: 0 };
  }

  /** The same list, each failure told with where it was. */
  at(place: string): Checks {
    return new Checks(this.#place === "" ? place : `${this.#place}, ${place}`, this);
  }

  /** `actual` is deeply equal to `expected`. */
  is(side: Side, what: string, actual: unknown, expected: unknown): void {
    this.that(side, `${what} is ${shown(actual)}, not ${shown(expected)}`, isDeepStrictEqual(actual, expected));
  }

  /** `actual` lies between the two, both included. */
  within(side: Side, what: string, actual: number, least: number, most: number): void {
    const seen = `${what} is ${rounded(actual)}, not ${least === most ? least : `${rounded(least)} to ${rounded(most)}`}`;
    this.that(side, seen, actual >= least && actual <= most);
  }

  /** `holds`; `otherwise` says what is the case if it does not. */
  that(side: Side, otherwise: string, holds: boolean): void {
    this.counts[side]++;
    if (!holds) this.failures.push(`${this.#place === "" ? "" : `${this.#place}: `}${side}: ${otherwise}`);
  }
}

function shown(value: unknown): string {
  const text = typeof value === "string" ? `«${value}»` : (JSON.stringify(value) ?? String(value));
  return text.length > 160 ? `${text.slice(0, 150)}... (${text.length} characters)` : text;
}

const rounded = (value: number): number => Math.round(value * 100) / 100;
