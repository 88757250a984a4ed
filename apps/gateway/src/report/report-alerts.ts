import { errorTable } from "@signalbox/protocol";
import {
  type AlertName,
  type AlertThreshold,
  type Severity,
  severities,
  type ThresholdName,
  thresholdOf,
  thresholdTable,
} from "../signals/alert-table.ts";
import type { ReportData } from "./report-data.ts";
import { countOf, quantileOf, Tally } from "./tally.ts";

/** A condition of an alert that held in the time of the report. Rules of Prometheus wait a little longer before they fire. */
export interface ReportAlert {
  readonly name: AlertName;
  readonly severity: Severity;
  /** The model, backend, team or gateway that it is about; empty = the pool. */
  readonly about: string;
  /** The worst of the time in which it held, in the threshold's unit. */
  readonly value: number;
  /** Null = what it tells of must never be. */
  readonly threshold: number | null;
  readonly unit: "seconds" | "ratio" | "count";
  /** ISO times; null = it still holds. */
  readonly since: string;
  readonly until: string | null;
}

/** Codes that a backend or the gateway is to blame for. */
const failures = new Set(Object.entries(errorTable).flatMap(([code, { status }]) => (status >= 500 ? [code] : [])));

/** True for a request that failed for want of backends, or of the gateway. */
export const isFailure = (code: string): boolean => failures.has(code);

/** What is judged over a time that moves along: the value, or undefined where too little is known. */
interface Rule {
  readonly name: AlertName;
  readonly threshold: ThresholdName;
  readonly minutes: number;
  /** From the threshold on, not only above it. */
  readonly atOnce?: boolean;
  value(tally: Tally, model: string, least: Least): number | undefined;
}

interface Least {
  readonly failures: number;
  readonly requests: number;
}

/** As in deploy/prometheus/alerts.rules.yml. */
const rules: readonly Rule[] = [
  {
    name: "SignalboxErrorRate",
    threshold: "error_rate",
    minutes: 5,
    value(tally, model, least) {
      const failed = tally.sum("requests", (of) => of.model === model && isFailure(of.code!));
      const good = tally.sum("requests", (of) => of.model === model && of.code === "ok");
      return failed < least.failures ? undefined : failed / (failed + good);
    },
  },
  {
    name: "SignalboxResponseTime",
    threshold: "response_time",
    minutes: 5,
    value: (tally, model, least) => late(tally, "first_token", model, least),
  },
  {
    name: "SignalboxTokenTime",
    threshold: "token_time",
    minutes: 5,
    value: (tally, model, least) => late(tally, "token_time", model, least),
  },
  {
    name: "SignalboxQueueWait",
    threshold: "queue_wait",
    minutes: 5,
    value(tally, _model, least) {
      const spread = tally.spread("queue_time", ({ priority }) => priority !== "batch");
      return spread === undefined || countOf(spread) < least.requests ? undefined : quantileOf(spread, 0.95);
    },
  },
  {
    name: "SignalboxRetries",
    threshold: "retries",
    minutes: 15,
    value(tally, _model, least) {
      const retries = tally.sum("retries");
      return retries < least.failures ? undefined : retries / tally.sum("requests");
    },
  },
  {
    name: "SignalboxToolCallFailures",
    threshold: "tool_call_failures",
    minutes: 15,
    value(tally, model, least) {
      const ofModel = (labels: Readonly<Record<string, string>>): boolean => labels.model === model;
      const failed = tally.sum("tool_calls", (of) => ofModel(of) && of.outcome === "failed");
      return failed < least.failures ? undefined : failed / tally.sum("tool_calls", ofModel);
    },
  },
  {
    name: "SignalboxNoCapacity",
    threshold: "min_failures",
    minutes: 5,
    atOnce: true,
    value: (tally) =>
      tally.sum("turned_away", ({ reason }) => ["queue_full", "expected_wait", "max_wait"].includes(reason!)),
  },
];

function late(tally: Tally, count: "first_token" | "token_time", model: string, least: Least): number | undefined {
  const spread = tally.spread(count, (labels) => labels.model === model);
  return spread === undefined || countOf(spread) < least.requests ? undefined : quantileOf(spread, 0.95);
}

/** The conditions of alerts that held between the beginning and the end of the report, those that hold now first. */
export function alertsOf(gateways: readonly ReportData[]): ReportAlert[] {
  const { thresholds } = gateways[0]!.state;
  const found = [
    ...rules.flatMap((rule) => judged(gateways, rule, thresholds)),
    ...queues(gateways),
    ...standing(gateways),
  ];
  const rank = ({ until, severity }: ReportAlert): number =>
    (until === null ? 0 : 2) + (severity === "critical" ? 0 : 1);
  return worstOf(found).sort((one, other) => rank(one) - rank(other) || (one.since < other.since ? -1 : 1));
}

/** Where a critical one holds, or held, at the end of the same time, the warning says nothing more. */
function worstOf(alerts: readonly ReportAlert[]): ReportAlert[] {
  return alerts.filter(
    (one) =>
      one.severity === "critical" ||
      !alerts.some(
        (other) =>
          other.severity === "critical" &&
          other.name === one.name &&
          other.about === one.about &&
          (other.until ?? "") === (one.until ?? ""),
      ),
  );
}

function judged(gateways: readonly ReportData[], rule: Rule, thresholds: readonly AlertThreshold[]): ReportAlert[] {
  const { perModel } = thresholdTable[rule.threshold];
  const abouts = perModel ? gateways[0]!.state.models.map(({ name }) => name) : [""];
  const least = {
    failures: thresholdOf(thresholds, "min_failures"),
    requests: thresholdOf(thresholds, "min_requests"),
  };
  const ends = endsOf(gateways);
  const windowMs = Math.max(rule.minutes * 60_000, gateways[0]!.step_ms);
  const tallies = ends.map((end) => new Tally(gateways, ({ at }) => at < end && at >= end - windowMs));
  return abouts.flatMap((about) => {
    const values = tallies.map((tally) => rule.value(tally, about, least));
    return levelsOf(rule.threshold).flatMap((severity) => {
      const threshold = thresholdOf(thresholds, rule.threshold, severity, about);
      const label = {
        name: rule.name,
        severity: severity || "warning",
        about,
        threshold,
        unit: thresholdTable[rule.threshold].unit,
      } as const;
      return spans(ends, values, (value) => value > threshold || (rule.atOnce === true && value === threshold)).map(
        (span) => ({ ...label, ...span }),
      );
    });
  });
}

const levelsOf = (name: ThresholdName): readonly AlertThreshold["severity"][] =>
  (["retries", "min_failures"] as readonly ThresholdName[]).includes(name) ? [""] : severities;

/** When each step ends; the last one has not ended, and is judged as it is now. */
function endsOf(gateways: readonly ReportData[]): number[] {
  const until = Math.max(...gateways.map((one) => one.until));
  const ends = gateways.flatMap(({ steps, step_ms }) => steps.map(({ at }) => Math.min(at + step_ms, until)));
  return [...new Set(ends)].sort((one, other) => one - other);
}

/** The times in which values held, each with the worst of them. */
function spans(ends: readonly number[], values: readonly (number | undefined)[], holds: (value: number) => boolean) {
  const found: { value: number; since: string; until: string | null }[] = [];
  let open = false;
  values.forEach((value, at) => {
    const isHolding = value !== undefined && holds(value);
    const last = found.at(-1);
    if (isHolding && open) last!.value = Math.max(last!.value, value);
    else if (isHolding) found.push({ value, since: new Date(ends[at]!).toISOString(), until: null });
    else if (open) last!.until = new Date(ends[at]!).toISOString();
    open = isHolding;
  });
  return found;
}

/** Those who wait in the gateways were counted at the end of each step; in the engines it is only known now. */
function queues(gateways: readonly ReportData[]): ReportAlert[] {
  const { thresholds } = gateways[0]!.state;
  const ends = endsOf(gateways);
  const values = ends.map((end, index) => {
    const last = index === ends.length - 1;
    const own = gateways.reduce((sum, { steps, step_ms }) => {
      const step = last ? steps.at(-1) : steps.find(({ at }) => at + step_ms === end);
      return sum + (step?.waiting ?? 0);
    }, 0);
    return last ? own + enginesWaiting(gateways) : own;
  });
  return severities.flatMap((severity) => {
    const threshold = thresholdOf(thresholds, "queue", severity);
    const label = { name: "SignalboxQueue", severity, about: "", threshold, unit: "count" } as const;
    return spans(ends, values, (value) => value >= threshold).map((span) => ({ ...label, ...span }));
  });
}

/** All gateways see the same queues of engines. */
function enginesWaiting(gateways: readonly ReportData[]): number {
  const most = new Map<string, number>();
  for (const { name, waiting } of gateways.flatMap(({ state }) => state.backends))
    most.set(name, Math.max(most.get(name) ?? 0, waiting));
  return [...most.values()].reduce((sum, one) => sum + one, 0);
}

/** What is so now, and not a matter of counts. */
function standing(gateways: readonly ReportData[]): ReportAlert[] {
  const { thresholds } = gateways[0]!.state;
  const until = Math.max(...gateways.map((one) => one.until));
  const now = new Date(until).toISOString();
  const base = { severity: "warning", threshold: null, unit: "count", since: now, until: null } as const;
  const alerts: ReportAlert[] = [];
  const models = new Map<string, number>();
  for (const { name, backends_up } of gateways.flatMap(({ state }) => state.models))
    models.set(name, Math.max(models.get(name) ?? 0, backends_up));
  for (const [about, up] of models)
    if (up === 0) alerts.push({ ...base, name: "SignalboxModelDown", severity: "critical", about, value: 0 });
  for (const [about, seen] of Map.groupBy(
    gateways.flatMap(({ state }) => state.backends),
    ({ name }) => name,
  )) {
    const down = seen.filter(({ up, by_itself }) => !up && by_itself);
    if (down.length === 0) continue;
    const since = new Date(until - 1000 * Math.max(...down.map(({ for_seconds }) => for_seconds))).toISOString();
    alerts.push({ ...base, name: "SignalboxBackendDown", about, value: down.length, since });
  }
  for (const { team, meter, period, used_ratio: value } of gateways[0]!.state.budgets) {
    const severity = severities.findLast((each) => value >= thresholdOf(thresholds, "budget", each));
    if (severity === undefined) continue;
    const threshold = thresholdOf(thresholds, "budget", severity);
    alerts.push({
      ...base,
      name: "SignalboxBudget",
      severity,
      about: `${team}, ${meter} of the ${period}`,
      value,
      threshold,
      unit: "ratio",
    });
  }
  gateways.forEach(({ state }, index) => {
    const about = gateways.length === 1 ? "" : `gateway ${index + 1}`;
    if (!state.config_current) alerts.push({ ...base, name: "SignalboxConfigReloadFailed", about, value: 1 });
    if (!state.store_shared) alerts.push({ ...base, name: "SignalboxStoreDown", about, value: 1 });
  });
  return alerts;
}
