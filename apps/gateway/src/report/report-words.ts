import type { Report, Times } from "./report.ts";
import type { ReportAlert } from "./report-alerts.ts";

/** One table of a report, as text and HTML both have it. */
export interface ReportTable {
  readonly title: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** Columns of words, which stand to the left; the others are numbers. */
  readonly words: number;
}

/** The figures at the top: what they are, and how they stand. */
export function keyFigures(report: Report): (readonly [name: string, value: string])[] {
  const { requests, response_time, first_token, per_token, tokens, attempts, cost } = report;
  return [
    ["requests", `${count(requests.total)} (${short(requests.per_second)}/s)`],
    ["failed", `${count(requests.failed)} (${percent(requests.failed_share)})`],
    ["response time p50, p95, p99", threeOf(response_time)],
    ["first token p50, p95, p99", threeOf(first_token)],
    ["per output token p50, p95, p99", threeOf(per_token)],
    ["tokens", `${count(tokens.input)} in, ${count(tokens.output)} out`],
    ["tokens a second", `${short(tokens.input_per_second)} in, ${short(tokens.output_per_second)} out`],
    ["cached, reasoning", `${count(tokens.cached_input)} of the input, ${count(tokens.reasoning)} of the output`],
    ["attempts", `${count(attempts.total)}, ${count(attempts.failed)} failed, ${count(attempts.retries)} retries`],
    ["rescued", `${count(attempts.fallbacks)} by another model, ${count(attempts.recoveries)} broken streams`],
    ["waited for a slot", waitedOf(report)],
    ...(cost === null ? [] : [["cost", costWords(cost)] as const]),
  ];
}

const threeOf = ({ p50, p95, p99 }: Times): string => [p50, p95, p99].map(duration).join(", ");

function waitedOf({ queue: { waited, turned_away } }: Report): string {
  const away = turned_away.map(({ reason, requests }) => `${count(requests)} ${reason}`).join(", ");
  const turned = away === "" ? "none turned away" : `turned away: ${away}`;
  return waited.count === 0 ? `0; ${turned}` : `${count(waited.count)}, p95 ${duration(waited.p95)}; ${turned}`;
}

function costWords({ cost, baseline, saving, saving_share }: NonNullable<Report["cost"]>): string {
  return `${short(cost)}; all on the large model ${short(baseline)}: saved ${short(saving)} (${percent(saving_share)})`;
}

/** Everything else; tables without rows are left out, but for the alerts. */
export function reportTables(report: Report): ReportTable[] {
  const tables: ReportTable[] = [
    {
      title: "Advice",
      words: 1,
      head: ["MODEL", "UP", "WANTED", "USE", "ADVICE"],
      rows: report.advice.map(({ models, up, backends, wanted, numbers, say }) => {
        const use = numbers?.load_ratio ?? null;
        return [
          models.join(", "),
          `${up}/${backends.length}`,
          wanted === null ? "-" : String(wanted),
          use === null ? "-" : percent(use),
          say,
        ];
      }),
    },
    {
      title: "Models",
      words: 1,
      head: ["MODEL", "REQUESTS", "SHARE", "FAILED", "P50", "P95", "FIRST TOKEN P95", "TOKENS OUT", "COST"],
      rows: report.models.map((one) => [
        one.name,
        count(one.requests),
        percent(one.share),
        count(one.failed),
        duration(one.response_time.p50),
        duration(one.response_time.p95),
        duration(one.first_token.p95),
        count(one.output_tokens),
        short(one.cost),
      ]),
    },
    shares("Complexity", "COMPLEXITY", report.complexity),
    shares("Rules", "RULE", report.rules),
    {
      title: "Backends",
      words: 2,
      head: ["BACKEND", "NOW", "ATTEMPTS", "SHARE", "FAILED", "TOKENS OUT"],
      rows: report.backends.map(({ name, now, attempts, share, failed, output_tokens }) => {
        return [
          name,
          now?.replace("_", " ") ?? "gone",
          count(attempts),
          percent(share),
          count(failed),
          count(output_tokens),
        ];
      }),
    },
    {
      title: "Teams",
      words: 1,
      head: ["TEAM", "REQUESTS", "SHARE", "FAILED", "REFUSED BY LIMITS", "TOKENS", "COST"],
      rows: report.teams.map(({ name, requests, share, failed, refused, tokens, cost }) => [
        name,
        count(requests),
        percent(share),
        count(failed),
        count(refused),
        count(tokens),
        short(cost),
      ]),
    },
    {
      title: "Errors",
      words: 1,
      head: ["CODE", "STATUS", "REQUESTS", "SHARE"],
      rows: report.errors.map(({ name, status, requests, share }) => [
        name,
        String(status),
        count(requests),
        percent(share),
      ]),
    },
    {
      title: "Tool calls",
      words: 2,
      head: ["MODEL", "DIALECT", "CALLS", "CAME THROUGH", "FAILED"],
      rows: report.tool_calls.map(({ model, dialect, total, success_share, failed }) => [
        model,
        dialect,
        count(total),
        percent(success_share),
        count(failed),
      ]),
    },
  ];
  return tables.filter(({ rows }) => rows.length > 0);
}

function shares(title: string, name: string, rows: Report["rules"]): ReportTable {
  const cells = rows.map((one) => [one.name, count(one.requests), percent(one.share)]);
  return { title, words: 1, head: [name, "REQUESTS", "SHARE"], rows: cells };
}

/** `SignalboxQueue: 61, threshold 50, since 12:03 UTC`, without the severity. */
export function alertWords({ name, about, value, threshold, unit, since, until }: ReportAlert): string {
  const inUnit = (number: number): string =>
    unit === "seconds" ? duration(number) : unit === "ratio" ? percent(number) : count(number);
  const held = until === null ? `since ${clock(since)}` : `${clock(since)} to ${clock(until)}`;
  const by = threshold === null ? "" : `: ${inUnit(value)}, threshold ${inUnit(threshold)}`;
  return `${name}${about === "" ? "" : ` (${about})`}${by}, ${held}`;
}

/** Of what time, and whether all of it is known. */
export function timeWords({ from, until, asked_minutes, complete, gateways }: Report): string {
  const of = gateways.length === 1 ? "" : `, ${gateways.length} gateways`;
  const known = complete ? "" : ` (${asked_minutes} minutes were asked for; not all of them are known)`;
  return `${day(from)} ${clock(from)} to ${day(until)} ${clock(until)}${of}${known}`;
}

const day = (iso: string): string => iso.slice(0, 10);
const clock = (iso: string): string => `${iso.slice(11, 16)} UTC`;
const count = (value: number): string => Math.round(value).toLocaleString("en-US");
const percent = (share: number): string => `${Number((share * 100).toFixed(share < 0.1 ? 2 : 1))} %`;
/** Three digits are enough for anybody. */
const short = (value: number): string =>
  Number(value.toPrecision(3)).toLocaleString("en-US", { maximumFractionDigits: 9 });

function duration(seconds: number | null): string {
  if (seconds === null) return "-";
  if (seconds < 1) return `${short(seconds * 1000)} ms`;
  return seconds < 100 ? `${short(seconds)} s` : `${Math.round(seconds)} s`;
}
