import { type Exemplar, Histogram } from "../histogram.ts";
import type { Family, Series } from "./family.ts";

export const PROMETHEUS_TEXT = "text/plain; version=0.0.4; charset=utf-8";
export const OPEN_METRICS_TEXT = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/** Prometheus' text format, 0.0.4. */
export function prometheusText(families: Iterable<Family>): string {
  let text = "";
  for (const { name, help, type, series } of families) {
    text += `# HELP ${name} ${helpText(help)}\n# TYPE ${name} ${type}\n`;
    for (const one of series) text += linesOf(name, one, () => "");
  }
  return text;
}

/** OpenMetrics 1.0, with exemplars. */
export function openMetricsText(families: Iterable<Family>): string {
  let text = "";
  for (const { name, help, type, series } of families) {
    // There a counter's name is without the end that its samples have.
    const plain = type === "counter" ? name.replace(/_total$/, "") : name;
    text += `# HELP ${plain} ${helpText(help).replaceAll('"', '\\"')}\n# TYPE ${plain} ${type}\n`;
    for (const one of series) text += linesOf(name, one, exemplarText);
  }
  return `${text}# EOF\n`;
}

const helpText = (help: string): string => help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");

/** A bound or a value. Bounds are the same in every form, and as Prometheus 3 keeps them, so that `le="1.0"` is found in all. */
function numberText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return "+Inf";
  return value === Number.NEGATIVE_INFINITY ? "-Inf" : String(value);
}

const bounds = new Map<number, string>();
function boundText(bound: number): string {
  let text = bounds.get(bound);
  if (text === undefined) {
    text = Number.isInteger(bound) ? `${bound}.0` : numberText(bound);
    bounds.set(bound, text);
  }
  return text;
}

function linesOf(name: string, { labelText, one }: Series, exemplarOf: (exemplar?: Exemplar) => string): string {
  const braced = labelText === "" ? "" : `{${labelText}}`;
  if (!(one instanceof Histogram)) return `${name}${braced} ${numberText(one.value)}\n`;
  const beginning = `${name}_bucket{${labelText}${labelText === "" ? "" : ","}le="`;
  let text = "";
  let count = 0;
  for (let at = 0; at < one.counts.length; at++) {
    count += one.counts[at]!;
    text += `${beginning}${boundText(one.bounds[at] ?? Number.POSITIVE_INFINITY)}"} ${count}${exemplarOf(one.exemplars[at])}\n`;
  }
  return `${text}${name}_sum${braced} ${one.sum}\n${name}_count${braced} ${count}\n`;
}

function exemplarText(exemplar: Exemplar | undefined): string {
  if (exemplar === undefined) return "";
  return ` # {trace_id="${exemplar.traceId}"} ${exemplar.value} ${exemplar.at / 1000}`;
}
