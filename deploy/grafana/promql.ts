import type { Severity, ThresholdName } from "../../apps/gateway/src/signals/alert-table.ts";
import { type Labels, type MetricName, metricTable, type NameOf } from "../../apps/gateway/src/signals/metric-table.ts";
import { errorTable } from "../../packages/protocol/src/index.ts";

/** A label that a metric's series have, with those that Prometheus adds to each of them. */
type LabelOf<N extends MetricName> = Extract<keyof Labels<N>, string> | TargetLabel;

const targetLabels = ["job", "instance"] as const;
type TargetLabel = (typeof targetLabels)[number];

/** What the process, its runtime and Prometheus tell about a gateway, which the metric table does not have. */
export const targetMetrics = [
  "up",
  "process_cpu_seconds_total",
  "process_resident_memory_bytes",
  "process_start_time_seconds",
  "nodejs_eventloop_lag_p99_seconds",
  "nodejs_heap_size_used_bytes",
] as const;
type TargetMetric = (typeof targetMetrics)[number];

/** What is asked of a metric: the labels to tell apart, and which series count, as `{ code: '!="ok"' }`. */
export interface Ask<Label extends string> {
  readonly by?: readonly Label[];
  readonly where?: { readonly [L in Label]?: string };
}

/** The labels that a variable of the dashboards narrows down. */
const variableOf: Readonly<Record<string, string>> = {
  job: "job",
  instance: "instance",
  team: "team",
  model: "model",
  from_model: "model",
  backend: "backend",
};

/** Here `model` is what the engine calls it, and the variable has the names that clients use. */
const namedByEngine: ReadonlySet<MetricName> = new Set([
  "signalbox_breaker_state",
  "signalbox_breaker_transitions_total",
]);

/**
 * The series of a metric that the dashboard's variables and `where` leave.
 * A label that `where` has is not narrowed down by its variable, too.
 */
export function series<N extends MetricName>(
  name: N,
  where: Ask<LabelOf<N>>["where"] = {},
  part: "" | "_bucket" | "_sum" | "_count" = "",
): string {
  const labels = [...targetLabels, ...metricTable[name].labels];
  const narrowed = labels.filter((label) => !(label === "model" && namedByEngine.has(name)));
  return `${name}${part}${matchers(narrowed, where)}`;
}

function matchers(labels: readonly string[], where: Readonly<Record<string, string | undefined>>): string {
  const own = Object.entries(where).map(([label, matcher]) => `${label}${matcher}`);
  const narrowed = labels.flatMap((label) => {
    const variable = variableOf[label];
    return variable === undefined || where[label] !== undefined ? [] : [`${label}=~"$${variable}"`];
  });
  return `{${[...narrowed, ...own].join(",")}}`;
}

function aggregate(how: "sum" | "max" | "min" | "count", by: readonly string[], inner: string): string {
  return by.length === 0 ? `${how}(${inner})` : `${how} by (${by.join(", ")}) (${inner})`;
}

/** How often a second, all replicas together. */
export function rate<N extends NameOf<"counter">>(name: N, { by = [], where }: Ask<LabelOf<N>> = {}): string {
  return aggregate("sum", by, `rate(${series(name, where)}[$__rate_interval])`);
}

/** How often in the time that the dashboard shows, all replicas together. */
export function countInRange<N extends NameOf<"counter">>(name: N, { by = [], where }: Ask<LabelOf<N>> = {}): string {
  return aggregate("sum", by, `increase(${series(name, where)}[$__range])`);
}

/** How often in each step of a graph, all replicas together. */
export function countInStep<N extends NameOf<"counter">>(name: N, { by = [], where }: Ask<LabelOf<N>> = {}): string {
  return aggregate("sum", by, `increase(${series(name, where)}[$__rate_interval])`);
}

/** The value that a share of what was observed is at most, all replicas together. */
export function quantile<N extends NameOf<"histogram">>(
  share: number,
  name: N,
  { by = [], where }: Ask<LabelOf<N>> = {},
): string {
  const buckets = aggregate("sum", ["le", ...by], `rate(${series(name, where, "_bucket")}[$__rate_interval])`);
  return `histogram_quantile(${share}, ${buckets})`;
}

/** How many values a second were observed, all replicas together. */
export function observations<N extends NameOf<"histogram">>(name: N, { by = [], where }: Ask<LabelOf<N>> = {}): string {
  return aggregate("sum", by, `rate(${series(name, where, "_count")}[$__rate_interval])`);
}

/** The mean of what was observed, all replicas together. */
export function mean<N extends NameOf<"histogram">>(name: N, ask: Ask<LabelOf<N>> = {}): string {
  const { by = [], where } = ask;
  const sums = aggregate("sum", by, `rate(${series(name, where, "_sum")}[$__rate_interval])`);
  return `${sums} / ${observations(name, ask)}`;
}

/** The buckets of a histogram, as a heat map wants them. */
export function buckets<N extends NameOf<"histogram">>(name: N, where?: Ask<LabelOf<N>>["where"]): string {
  return aggregate("sum", ["le"], `increase(${series(name, where, "_bucket")}[$__rate_interval])`);
}

/** A gauge of which each replica has a part of its own. */
export function total<N extends NameOf<"gauge">>(name: N, { by = [], where }: Ask<LabelOf<N>> = {}): string {
  return aggregate("sum", by, series(name, where));
}

/** A gauge that every replica reports alike, or the worst replica where more is worse. */
export function highest<N extends NameOf<"gauge">>(name: N, { by = [], where }: Ask<LabelOf<N>> = {}): string {
  return aggregate("max", by, series(name, where));
}

/** A gauge that every replica reports alike, by the worst replica where less is worse. */
export function lowest<N extends NameOf<"gauge">>(name: N, { by = [], where }: Ask<LabelOf<N>> = {}): string {
  return aggregate("min", by, series(name, where));
}

/** What alerts compare with, as the policy file says: from here on somebody is called, or has a look in the morning. */
export function threshold(name: ThresholdName, severity: Severity | "" = "critical"): string {
  const where = { name: `="${name}"`, severity: `="${severity}"`, model: '=""' };
  return aggregate("max", [], series("signalbox_alert_threshold", where));
}

/** A metric of the process or its target, as it is. */
export function ofTarget(name: TargetMetric): string {
  return `${name}${matchers(targetLabels, {})}`;
}

/** A part of the whole, from 0 to 1; 0 where the part has no series yet. */
export function share(part: string, whole: string): string {
  return `((${part}) or 0 * (${whole})) / (${whole})`;
}

/** Error codes that a backend or Signalbox is to blame for, as the alerts count them: those with a status of 500 and above. */
const failedCodes = Object.entries(errorTable)
  .filter(([, { status }]) => status >= 500)
  .map(([code]) => code)
  .join("|");

/** Requests that failed, a stream that broke under its 200 among them. */
export const failed = { code: `=~"${failedCodes}"` } as const;

/** The share of requests that failed, of those that no caller is to blame for. */
export function failedShare(by: readonly ("team" | "model")[] = []): string {
  const judged = { code: `=~"ok|${failedCodes}"` };
  return share(
    rate("signalbox_requests_total", { by, where: failed }),
    rate("signalbox_requests_total", { by, where: judged }),
  );
}

/** What happens at all: there are series for everything that could. */
export function seen(vector: string): string {
  return `${vector} > 0`;
}

/** How many series there are; 0 when there are none. */
export function howMany(vector: string): string {
  return `count(${vector}) or vector(0)`;
}
