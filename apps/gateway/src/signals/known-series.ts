import type { ErrorCode, FailureCause, OutcomeKind } from "@signalbox/protocol";
import { type BreakerState, chainOf, complexities, type Policy, type Rule } from "@signalbox/router";
import type { TurnedAwayReason } from "../admission/turned-away.ts";
import type { Config } from "../config/config.ts";
import type { RecoveryNote } from "../request-path/recovery/recovery-plan.ts";
import type { Shortage } from "../runtime/gate.ts";
import { budgetPercents } from "../usage/budget-watch.ts";
import { limitLabels } from "./measure.ts";
import type { Labels, NameOf } from "./metric-table.ts";
import type { Metrics } from "./metrics.ts";
import type { TeamLabels } from "./team-labels.ts";
import { toolCallOutcomes } from "./tool-call-counts.ts";

/** Series that a config makes of one metric, at most: a scrape stays small, whatever the config. */
const MAX_KNOWN = 256;

type Known = { readonly [N in NameOf<"counter">]?: readonly Labels<N>[] };

/**
 * Makes the series that a config lets one expect, so that `rate()` sees the first event too: a series that appears with its
 * first event seems not to have grown. Metrics of which there would be more than 256 begin with their events.
 */
export function makeKnownSeries(metrics: Pick<Metrics, "counter">, config: Config, teams: TeamLabels): void {
  const known: Known = { ...ofGateway(config), ...ofBackends(config), ...ofModels(config), ...ofTeams(config, teams) };
  for (const [name, series] of Object.entries(known) as [NameOf<"counter">, readonly Labels<NameOf<"counter">>[]][])
    if (series.length <= MAX_KNOWN) for (const labels of series) metrics.counter(name, labels);
}

const causes = Object.keys({
  connect: 0,
  reset: 0,
  first_token: 0,
  stall: 0,
  cut: 0,
  malformed: 0,
  server_error: 0,
  total: 0,
} satisfies Record<FailureCause, 0>);
/** How attempts end without a cause. */
const ends = Object.keys({
  ok: 0,
  client_gone: 0,
  cancelled: 0,
  caller_error: 0,
  backpressure: 0,
  shortage: 0,
} satisfies Record<Exclude<OutcomeKind, "failed">, 0>);
/** What another attempt can follow. */
const retried = [...causes, "backpressure", "caller_error", "shortage", "cancelled"];
const breakerStates = ["closed", "open", "half_open"] as const satisfies readonly BreakerState[];
const shortages: readonly Shortage[] = ["lag", "requests", "connections", "bodies"];
const reasons: readonly TurnedAwayReason[] = ["team_backlog", "queue_full", "expected_wait", "max_wait", "shutdown"];
const adminRefusals = [
  "invalid_api_key",
  "too_many_failed_keys",
  "role_not_sufficient",
  "change_not_allowed",
] as const satisfies readonly ErrorCode[];
const recovered: readonly RecoveryNote["outcome"][] = [
  "finished",
  "broken",
  "mismatched",
  "refused",
  "not_tried",
  "client_gone",
];

function ofGateway({ store, server }: Config): Known {
  return {
    signalbox_shed_requests_total: shortages.map((reason) => ({ reason })),
    signalbox_queue_turned_away_total: reasons.map((reason) => ({ reason })),
    signalbox_config_reloads_total: ["success", "failure"].map((result) => ({ result })),
    signalbox_audit_records_total:
      server.auditFile === undefined ? [] : ["written", "failed"].map((result) => ({ result })),
    signalbox_admin_refusals_total: adminRefusals.map((code) => ({ code })),
    signalbox_store_transitions_total: store === "memory" ? [] : ["shared", "local"].map((to) => ({ to })),
  };
}

/** A model on a backend, by the name that clients use. */
interface Served {
  readonly backend: string;
  readonly model: string;
}

const servedBy = ({ policy }: Config): readonly Served[] =>
  [...policy.models.values()].flatMap(({ name: model, deployments }) =>
    [...new Set(deployments.map(({ backend }) => backend))].map((backend) => ({ backend, model })),
  );

function ofBackends(config: Config): Known {
  const deployments = [...config.policy.models.values()].flatMap((model) =>
    model.deployments.map((deployment) => ({ ...deployment, name: model.name })),
  );
  return {
    signalbox_attempts_total: servedBy(config).flatMap((served) => [
      ...ends.map((outcome) => ({ ...served, outcome, cause: "" })),
      ...causes.map((cause) => ({ ...served, outcome: "failed", cause })),
    ]),
    signalbox_breaker_transitions_total: deployments.flatMap(({ backend, model }) =>
      breakerStates.map((to) => ({ backend, model, to })),
    ),
    signalbox_malformed_events_total: [...config.backends.keys()].map((backend) => ({ backend })),
    signalbox_tool_calls_total: deployments.flatMap(({ backend, name: model, dialect, toolParser }) =>
      (toolParser === "engine" ? ["engine", dialect] : [dialect])
        .filter((one) => one !== "none")
        .flatMap((one) => toolCallOutcomes.map((outcome) => ({ backend, model, dialect: one, outcome }))),
    ),
  };
}

function ofModels({ policy }: Config): Known {
  const models = [...policy.models.values()];
  return {
    signalbox_retries_total: models.flatMap(({ name: model }) => retried.map((cause) => ({ model, cause }))),
    signalbox_fallbacks_total: models.flatMap((model) =>
      chainOf(policy, model)
        .slice(1)
        .map(({ name }) => ({ from_model: model.name, to_model: name })),
    ),
    signalbox_decisions_total: decisionsBy(policy),
    signalbox_hedges_total: models
      .filter(({ hedgeAfterMs }) => hedgeAfterMs !== undefined)
      .flatMap(({ name: model }) => ["won", "lost", "failed", "client_gone"].map((outcome) => ({ model, outcome }))),
    signalbox_stream_recoveries_total: models
      .filter(({ recoversStreams }) => recoversStreams)
      .flatMap(({ name: model }) =>
        ["continuation", "restart"].flatMap((how) => recovered.map((outcome) => ({ model, how, outcome }))),
      ),
  };
}

function decisionsBy({ models, rules }: Policy): readonly Labels<"signalbox_decisions_total">[] {
  const asked = rules.some(({ when }) => asksComplexity(when)) ? ["", ...complexities] : [""];
  return [
    ...[...models.keys()].map((model) => ({ rule: "named", model, complexity: "" })),
    ...rules.flatMap(({ label: rule, use: model }) => asked.map((complexity) => ({ rule, model, complexity }))),
  ];
}

const asksComplexity = ({ complexity, any, not }: Rule["when"]): boolean =>
  complexity !== undefined || (any?.some(asksComplexity) ?? false) || (not !== undefined && asksComplexity(not));

function ofTeams(config: Config, labels: TeamLabels): Known {
  const teams = [...(config.teams?.values() ?? [])];
  const names = [...new Set(teams.map(({ name }) => labels.of(name)))];
  const asking = config.teams === undefined ? [...labels.own] : names;
  return {
    signalbox_rate_limited_total: names.flatMap((team) => limitLabels.map((limit) => ({ team, limit }))),
    signalbox_tokens_total: asking.flatMap((team) =>
      servedBy(config).flatMap((served) => ["input", "output"].map((type) => ({ team, ...served, type }))),
    ),
    signalbox_budget_alerts_total: teams.flatMap(({ name, budgets = [] }) =>
      budgets.flatMap(({ meter, every: period }) =>
        budgetPercents.map((percent) => ({ team: labels.of(name), meter, period, percent: String(percent) })),
      ),
    ),
  };
}
