import { type Advice, adviseOn } from "../advice/advise.ts";
import { type LoadHistory, mergeHistories, type Presence } from "../advice/load-history.ts";
import { alertsOf, isFailure, type ReportAlert } from "./report-alerts.ts";
import type { ReportData } from "./report-data.ts";
import { countOf, quantileOf, type Spread, Tally } from "./tally.ts";

/** Times in seconds, as far as the buckets of the histograms tell; null = there was nothing to be timed. */
export interface Times {
  readonly count: number;
  readonly mean: number | null;
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
}

/** A part of the requests. */
interface Share {
  readonly name: string;
  readonly requests: number;
  /** Of all, 0 to 1. */
  readonly share: number;
}

/** What `signalbox report` says: how a pool fared. Counts are those of the metrics. */
export interface Report {
  /** ISO times. What was before `from` is not known, or was not asked for. */
  readonly from: string;
  readonly until: string;
  readonly asked_minutes: number;
  /** Every gateway knows all of the time. */
  readonly complete: boolean;
  readonly gateways: readonly { readonly version: string; readonly config_hash: string; readonly from: string }[];
  readonly requests: {
    readonly total: number;
    readonly ok: number;
    readonly failed: number;
    readonly per_second: number;
    readonly failed_share: number;
  };
  readonly response_time: Times;
  readonly first_token: Times;
  /** Seconds for each token of streamed answers. */
  readonly per_token: Times;
  readonly errors: readonly (Share & { readonly status: number })[];
  readonly tokens: {
    readonly input: number;
    readonly output: number;
    readonly cached_input: number;
    readonly reasoning: number;
    readonly input_per_second: number;
    readonly output_per_second: number;
  };
  readonly models: readonly (Share & {
    readonly failed: number;
    readonly output_tokens: number;
    readonly response_time: Times;
    readonly first_token: Times;
    readonly cost: number;
  })[];
  readonly complexity: readonly Share[];
  readonly rules: readonly Share[];
  readonly backends: readonly {
    readonly name: string;
    /** Null = it is in the config no more. */
    readonly now: Presence | null;
    readonly attempts: number;
    readonly failed: number;
    readonly share: number;
    readonly output_tokens: number;
  }[];
  readonly teams: readonly (Share & {
    readonly tokens: number;
    readonly cost: number;
    readonly refused: number;
    readonly failed: number;
  })[];
  readonly tool_calls: readonly {
    readonly model: string;
    readonly dialect: string;
    readonly total: number;
    readonly success_share: number;
    readonly failed: number;
  }[];
  readonly attempts: {
    readonly total: number;
    readonly failed: number;
    readonly retries: number;
    readonly fallbacks: number;
    readonly hedges: number;
    readonly recoveries: number;
  };
  /** In the currency of the policy; null = no model has a price. */
  readonly cost: {
    readonly cost: number;
    readonly baseline: number;
    readonly saving: number;
    readonly saving_share: number;
  } | null;
  readonly queue: {
    readonly waited: Times;
    readonly turned_away: readonly { readonly reason: string; readonly requests: number }[];
  };
  readonly alerts: readonly ReportAlert[];
  readonly advice: readonly Advice[];
}

/** Teams beyond the largest ones are one row. */
const TOP_TEAMS = 10;

/** Puts together what the gateways of one pool know. @throws Error when their `defaults.scaling` differ. */
export function composeReport(gateways: readonly ReportData[], askedMinutes: number): Report {
  const tally = new Tally(gateways);
  const history = mergeHistories(gateways.map((one) => one.history));
  const from = Math.min(...gateways.map((one) => one.from));
  const until = Math.max(...gateways.map((one) => one.until));
  const seconds = Math.max(1, (until - from) / 1000);
  const known = Math.max(...gateways.map((one) => one.from));
  const total = tally.sum("requests");
  const failed = tally.sum("requests", ({ code }) => isFailure(code!));
  return {
    from: iso(from),
    until: iso(until),
    asked_minutes: askedMinutes,
    complete: known <= until - askedMinutes * 60_000,
    gateways: gateways.map((one) => ({
      version: one.version,
      config_hash: one.config_hash.slice(0, 12),
      from: iso(one.from),
    })),
    requests: {
      total,
      ok: tally.sum("requests", ({ code }) => code === "ok"),
      failed,
      per_second: round(total / seconds),
      failed_share: shareOf(failed, total),
    },
    response_time: timesOf(tally.spread("response_time")),
    first_token: timesOf(tally.spread("first_token")),
    per_token: timesOf(tally.spread("token_time")),
    errors: errorsOf(tally, total),
    tokens: tokensOf(tally, seconds),
    models: modelsOf(tally, total),
    complexity: sharesOf(tally, "complexity", ({ complexity }) => complexity !== ""),
    rules: sharesOf(tally, "rule"),
    backends: backendsOf(tally, history),
    teams: teamsOf(tally, total),
    tool_calls: toolCallsOf(tally),
    attempts: {
      total: tally.sum("attempts"),
      failed: tally.sum("attempts", ({ outcome }) => outcome === "failed"),
      retries: tally.sum("retries"),
      fallbacks: tally.sum("fallbacks"),
      hedges: tally.sum("hedges"),
      recoveries: tally.sum("recoveries", ({ outcome }) => outcome === "finished"),
    },
    cost: costOf(tally),
    queue: {
      waited: timesOf(tally.spread("queue_time")),
      turned_away: tally.by("turned_away", "reason").map(([reason, requests]) => ({ reason, requests })),
    },
    alerts: alertsOf(gateways),
    advice: adviseOn(history),
  };
}

const iso = (ms: number): string => new Date(ms).toISOString();
const round = (value: number): number => Math.round(value * 1e6) / 1e6;
const shareOf = (part: number, of: number): number => (of === 0 ? 0 : round(part / of));

function timesOf(spread: Spread | undefined): Times {
  if (spread === undefined || countOf(spread) === 0) return { count: 0, mean: null, p50: null, p95: null, p99: null };
  const at = (q: number): number => round(quantileOf(spread, q)!);
  const count = countOf(spread);
  return { count, mean: round(spread.sum / count), p50: at(0.5), p95: at(0.95), p99: at(0.99) };
}

function errorsOf(tally: Tally, total: number): Report["errors"] {
  const codes = tally.by("requests", "code", ({ code }) => code !== "ok");
  return codes.flatMap(([name]) =>
    tally
      .by("requests", "status", ({ code }) => code === name)
      .map(([status, requests]) => ({ name, status: Number(status), requests, share: shareOf(requests, total) })),
  );
}

function tokensOf(tally: Tally, seconds: number): Report["tokens"] {
  const of = (wanted: string): number => tally.sum("tokens", ({ type }) => type === wanted);
  const [input, output] = [of("input"), of("output")];
  const rates = { input_per_second: round(input / seconds), output_per_second: round(output / seconds) };
  return { input, output, cached_input: of("cached_input"), reasoning: of("reasoning"), ...rates };
}

function modelsOf(tally: Tally, total: number): Report["models"] {
  return tally.by("requests", "model").map(([name, requests]) => {
    const own = ({ model }: Readonly<Record<string, string>>): boolean => model === name;
    return {
      name,
      requests,
      share: shareOf(requests, total),
      failed: tally.sum("requests", (of) => own(of) && isFailure(of.code!)),
      output_tokens: tally.sum("tokens", (of) => own(of) && of.type === "output"),
      response_time: timesOf(tally.spread("response_time", own)),
      first_token: timesOf(tally.spread("first_token", own)),
      cost: round(tally.sum("model_cost", own)),
    };
  });
}

function sharesOf(tally: Tally, label: string, fits?: (labels: Readonly<Record<string, string>>) => boolean): Share[] {
  const total = tally.sum("decisions", fits);
  return tally
    .by("decisions", label, fits)
    .map(([name, requests]) => ({ name, requests, share: shareOf(requests, total) }));
}

function backendsOf(tally: Tally, { backends }: LoadHistory): Report["backends"] {
  const attempts = new Map(tally.by("attempts", "backend"));
  const total = tally.sum("attempts");
  const now = new Map(backends.map(({ name, presence }) => [name, presence]));
  return [...new Set([...attempts.keys(), ...now.keys()])].map((name) => ({
    name,
    now: now.get(name) ?? null,
    attempts: attempts.get(name) ?? 0,
    failed: tally.sum("attempts", (of) => of.backend === name && of.outcome === "failed"),
    share: shareOf(attempts.get(name) ?? 0, total),
    output_tokens: tally.sum("tokens", (of) => of.backend === name && of.type === "output"),
  }));
}

function teamsOf(tally: Tally, total: number): Report["teams"] {
  const all = tally.by("requests", "team").map(([name]) => name);
  const top = all.slice(0, TOP_TEAMS);
  const rest = all.slice(TOP_TEAMS);
  const row = (name: string, names: readonly string[]) => {
    const own = ({ team }: Readonly<Record<string, string>>): boolean => names.includes(team!);
    const requests = tally.sum("requests", own);
    return {
      name,
      requests,
      share: shareOf(requests, total),
      tokens: tally.sum("team_tokens", (of) => own(of) && (of.type === "input" || of.type === "output")),
      cost: round(tally.sum("team_cost", own)),
      refused: tally.sum("limited", own),
      failed: tally.sum("requests", (of) => own(of) && isFailure(of.code!)),
    };
  };
  return [...top.map((name) => row(name, [name])), ...(rest.length > 0 ? [row(`${rest.length} more`, rest)] : [])];
}

function toolCallsOf(tally: Tally): Report["tool_calls"] {
  return tally.by("tool_calls", "model").flatMap(([model]) =>
    tally
      .by("tool_calls", "dialect", (of) => of.model === model)
      .map(([dialect, total]) => {
        const count = (outcome: string): number =>
          tally.sum("tool_calls", (of) => of.model === model && of.dialect === dialect && of.outcome === outcome);
        const failed = count("failed");
        return { model, dialect, total, success_share: shareOf(total - failed - count("denied"), total), failed };
      }),
  );
}

function costOf(tally: Tally): Report["cost"] {
  const cost = tally.sum("model_cost");
  const baseline = tally.sum("baseline_cost");
  if (cost === 0 && baseline === 0) return null;
  const saving = round(baseline - cost);
  return { cost: round(cost), baseline: round(baseline), saving, saving_share: shareOf(saving, baseline) };
}
