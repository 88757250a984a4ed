import type { Histogram } from "../histogram.ts";
import type { MetricRow } from "../metric-table.ts";

/** All series of one metric, as the formats write them. */
export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: MetricRow["type"];
  readonly series: Iterable<Series>;
}

/** One series. */
export interface Series {
  readonly labels: Readonly<Record<string, string>>;
  /** The labels as text formats write them, without braces. */
  readonly labelText: string;
  /** A number, or what a histogram holds. */
  readonly one: { readonly value: number } | Histogram;
}

/** `team="a",model="b"`: labels as text formats write them. */
export function labelTextOf(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}="${escaped(value)}"`)
    .join(",");
}

const escaped = (value: string): string =>
  value.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"');
