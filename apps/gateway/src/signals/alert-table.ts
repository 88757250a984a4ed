/** How bad an alert is: worth a look in the morning, or somebody is called. */
export const severities = ["warning", "critical"] as const;
export type Severity = (typeof severities)[number];

interface ThresholdRow {
  /** What its value is told in, by the config and by `signalbox_alert_threshold`. */
  readonly unit: "seconds" | "ratio" | "count";
  /** Judged for each model, which may have its own value in `models.<name>.alerts`. */
  readonly perModel: boolean;
}

/** Every threshold of `server.alerts`, by the name of its setting. */
export const thresholdTable = {
  objective: { unit: "ratio", perModel: false },
  min_failures: { unit: "count", perModel: false },
  min_requests: { unit: "count", perModel: false },
  response_time: { unit: "seconds", perModel: true },
  token_time: { unit: "seconds", perModel: true },
  error_rate: { unit: "ratio", perModel: true },
  queue: { unit: "count", perModel: false },
  queue_wait: { unit: "seconds", perModel: false },
  tool_call_failures: { unit: "ratio", perModel: true },
  budget: { unit: "ratio", perModel: false },
  retries: { unit: "ratio", perModel: false },
  breaker_flaps: { unit: "count", perModel: false },
  refusals: { unit: "ratio", perModel: false },
  admin_refusals: { unit: "count", perModel: false },
} as const satisfies Record<string, ThresholdRow>;
export type ThresholdName = keyof typeof thresholdTable;

/** One value that rules compare with: a series of `signalbox_alert_threshold`. */
export interface AlertThreshold {
  readonly name: ThresholdName;
  /** Empty where there is but one value. */
  readonly severity: Severity | "";
  /** Empty = of the pool; of a model otherwise, its own value or the pool's. */
  readonly model: string;
  /** In seconds, as a share from 0 to 1, or a count. */
  readonly value: number;
}

/** A value that a config has for sure. A model that the config does not know is judged as the pool is. */
export function thresholdOf(
  thresholds: readonly AlertThreshold[],
  name: ThresholdName,
  severity: AlertThreshold["severity"] = "",
  model = "",
): number {
  const found = (of: string) =>
    thresholds.find((each) => each.name === name && each.severity === severity && each.model === of);
  return (found(model) ?? found(""))!.value;
}

interface AlertRow {
  /** A rule for each. */
  readonly severities: readonly Severity[];
  /** When it fires, in a few words. */
  readonly condition: string;
  /** What it compares with; no threshold = what it tells of must never be. */
  readonly thresholds?: readonly ThresholdName[];
}

const both = severities;
const warning = ["warning"] as const;
const critical = ["critical"] as const;

/**
 * Every alert. The rules of deploy/prometheus, their tests, docs/runbooks.md and the report are held to this table: each row
 * has a rule for each severity, unit tests and a runbook.
 */
export const alertTable = {
  SignalboxDown: { severities: critical, condition: "No gateway is scraped, for a minute" },
  SignalboxReplicaDown: { severities: warning, condition: "A gateway cannot be scraped, for 5 minutes" },
  SignalboxErrorBudgetBurn: {
    severities: both,
    condition: "Requests fail so often that the month's error budget will not last",
    thresholds: ["objective", "min_failures"],
  },
  SignalboxErrorRate: {
    severities: both,
    condition: "A share of a model's requests fails, in 5 minutes",
    thresholds: ["error_rate", "min_failures"],
  },
  SignalboxResponseTime: {
    severities: both,
    condition: "Answers of a model begin late, 95th percentile of 5 minutes",
    thresholds: ["response_time", "min_requests"],
  },
  SignalboxTokenTime: {
    severities: both,
    condition: "Streamed answers of a model are written slowly, 95th percentile of 5 minutes",
    thresholds: ["token_time", "min_requests"],
  },
  SignalboxQueue: {
    severities: both,
    condition: "Requests wait, in Signalbox and in the engines, for 5 minutes",
    thresholds: ["queue"],
  },
  SignalboxQueueWait: {
    severities: both,
    condition: "Requests that are not `batch` wait long for their turn, 95th percentile of 5 minutes",
    thresholds: ["queue_wait", "min_requests"],
  },
  SignalboxNoCapacity: {
    severities: warning,
    condition: "Requests are turned away because the pool has no room, for 10 minutes",
    thresholds: ["min_failures"],
  },
  SignalboxRetries: {
    severities: warning,
    condition: "Many requests take more than one attempt, in 15 minutes",
    thresholds: ["retries", "min_failures"],
  },
  SignalboxModelDown: { severities: critical, condition: "No backend of a model is up, for a minute" },
  SignalboxBackendDown: {
    severities: warning,
    condition: "A gateway cannot use a backend that nobody took out, for 2 minutes",
  },
  SignalboxBreakerOpen: {
    severities: warning,
    condition: "A breaker has kept requests from a backend that seems up, for 10 minutes",
  },
  SignalboxBreakerFlapping: {
    severities: warning,
    condition: "A breaker opens again and again, in an hour",
    thresholds: ["breaker_flaps"],
  },
  SignalboxBackendSetByHand: { severities: warning, condition: "A backend was set by hand 6 hours ago and forgotten" },
  SignalboxToolCallFailures: {
    severities: both,
    condition: "Tool calls of a model cannot be read, in 15 minutes",
    thresholds: ["tool_call_failures", "min_failures"],
  },
  SignalboxBudget: {
    severities: both,
    condition: "A team's budget is nearly used, or used up",
    thresholds: ["budget"],
  },
  SignalboxTeamRefused: {
    severities: warning,
    condition: "Limits refuse a share of a team's requests, for 30 minutes",
    thresholds: ["refusals", "min_failures"],
  },
  SignalboxConfigReloadFailed: { severities: warning, condition: "A changed policy file was not taken, for a minute" },
  SignalboxConfigDiffers: { severities: warning, condition: "Replicas run by different policy files, for 10 minutes" },
  SignalboxStoreDown: { severities: warning, condition: "A replica cannot reach Redis, for 2 minutes" },
  SignalboxStoreBacklog: {
    severities: warning,
    condition: "Counts have waited for Redis for 10 minutes although it can be reached",
  },
  SignalboxStoreCountsLost: { severities: warning, condition: "Counts were given up before Redis took them" },
  SignalboxStoredKeysOld: { severities: warning, condition: "A replica has not heard of changed keys for 5 minutes" },
  SignalboxUsageLost: { severities: warning, condition: "Entries of the usage ledger are lost" },
  SignalboxLogLost: { severities: warning, condition: "Lines of the log are lost" },
  SignalboxTracesLost: { severities: warning, condition: "Spans of traces are lost, for 15 minutes" },
  SignalboxShedding: {
    severities: warning,
    condition: "A gateway refuses requests for want of room of its own, for 5 minutes",
  },
  SignalboxAdminRefusals: {
    severities: warning,
    condition: "The admin listener refuses many tokens, in 10 minutes",
    thresholds: ["admin_refusals"],
  },
  SignalboxAuditFailed: { severities: warning, condition: "A record of the audit file could not be written" },
} as const satisfies Record<string, AlertRow>;
export type AlertName = keyof typeof alertTable;
