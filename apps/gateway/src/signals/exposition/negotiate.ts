import type { Family } from "./family.ts";
import { PROTOBUF, protobufFormat } from "./protobuf-format.ts";
import { OPEN_METRICS_TEXT, openMetricsText, PROMETHEUS_TEXT, prometheusText } from "./text-format.ts";

/** A form in which metrics are told. */
export interface Form {
  readonly contentType: string;
  write(families: Iterable<Family>): string | Buffer;
}

const text: Form = { contentType: PROMETHEUS_TEXT, write: prometheusText };
const openMetrics: Form = { contentType: OPEN_METRICS_TEXT, write: openMetricsText };
const protobuf: Form = { contentType: PROTOBUF, write: protobufFormat };

/** The form that a scraper wants most, by its Accept header; Prometheus' text where it names none that we have. */
export function formFor(accept: string | undefined): Form {
  let best: { readonly form: Form; readonly quality: number } = { form: text, quality: 0 };
  for (const part of accept?.split(",") ?? []) {
    const [type = "", ...parameters] = part.split(";").map((word) => word.trim().toLowerCase());
    const form = formOf(type, parameters);
    const quality = Number(parameters.find((one) => one.startsWith("q="))?.slice(2) ?? 1);
    if (form !== undefined && quality > best.quality) best = { form, quality };
  }
  return best.form;
}

function formOf(type: string, parameters: readonly string[]): Form | undefined {
  if (type === "text/plain") return text;
  if (type === "application/openmetrics-text") return openMetrics;
  const family = parameters.includes("proto=io.prometheus.client.metricfamily");
  return type === "application/vnd.google.protobuf" && family && parameters.includes("encoding=delimited")
    ? protobuf
    : undefined;
}
