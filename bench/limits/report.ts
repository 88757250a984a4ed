import { table } from "../rounds.ts";
import { type Figures, targets } from "./figures.ts";

const numberOf = (value: number): string => String(Math.round(value * 100) / 100);

/** A run's figures for who reads them in a terminal. */
export function linesOf(figures: Figures): readonly string[] {
  const { fullest, teams, requests, missed, failures } = figures;
  const limits = fullest.map(({ rule, most, overPct, blindPct }) => [
    rule.id,
    rule.windowMs === 0 ? "at once" : `${rule.windowMs / 1000} s`,
    String(rule.limit),
    numberOf(most),
    `${numberOf(overPct)} %`,
    `${numberOf(blindPct)} %`,
  ]);
  const shares = Object.entries(teams).map(([name, { asked, admitted, due, falsePct }]) => [
    name,
    String(asked),
    String(admitted),
    String(due),
    `${numberOf(falsePct)} %`,
  ]);
  return [
    `\n${requests.asked} requests, ${requests.perSecond} a second, ${requests.admitted} admitted\n`,
    table([["limit", "window", "is", "most in one", "over", "blind"], ...limits]),
    "",
    table([["team", "asked", "admitted", "due", "too few"], ...shares]),
    "",
    table([["", "is", "must be"], ...summary(figures)]),
    ...overLines(figures),
    ...Object.entries(failures).map(([failure, count]) => `  failed ${count} times: ${failure}`),
    missed.length === 0 ? "\nPASS" : `\nFAIL  ${missed.join("; ")}`,
  ];
}

/** What was over its limit in a window that ends after the loss, and when. */
function overLines({ outage }: Figures): string[] {
  if (outage === null) return [];
  const over = outage.fullest.filter(({ overPct }) => overPct > 0);
  return over.map(({ rule, most, at }) => {
    const when = `a window that begins ${Math.round(at)} ms after the loss (back after ${Math.round(outage.downMs)} ms)`;
    return `  ${rule.id}: ${numberOf(most)} of ${rule.limit} in ${when}`;
  });
}

function overRows(down: NonNullable<Figures["redis_down_over"]>): [string, number, string][] {
  const { over_tokens_pct: tokens } = down;
  return [
    ["redis down: % over a limit of requests", down.over_requests_pct, "0"],
    ["redis down: % over one of exact tokens", tokens.exact, "0"],
    ["redis down: % over one of realistic tokens", tokens.realistic, `at most ${targets.over_tokens_pct.realistic}`],
    ["redis down: % over one of slots", down.over_concurrent_pct, "0"],
  ];
}

function summary(figures: Figures): string[][] {
  const { over_tokens_pct: tokens, waits, returns, outage, redis_down_over: down } = figures;
  const rows: [string, number | null, string][] = [
    ["over_requests_pct", figures.over_requests_pct, `at most ${targets.over_requests_pct}`],
    ["over_tokens_pct, exact estimates", tokens.exact, String(targets.over_tokens_pct.exact)],
    ["over_tokens_pct, realistic ones", tokens.realistic, `at most ${targets.over_tokens_pct.realistic}`],
    ["over_concurrent_pct", figures.over_concurrent_pct, "0"],
    ["false_429_pct", figures.false_429_pct, `at most ${targets.false_429_pct}`],
    ["failed", figures.failed, "0"],
    [`% of ${waits.refused} waits that hold`, waits.keptPct, `at least ${targets.honest_waits_pct}`],
    ["% of waits that are too long", waits.tooLongPct, `at most ${targets.long_waits_pct}`],
    [`% of ${returns.cameBack} polite returns admitted`, returns.admittedPct, `at least ${targets.honest_waits_pct}`],
  ];
  if (outage !== null && down !== null) {
    const { p99Ms } = outage;
    rows.push(
      ["redis_down_failed", outage.failed, String(targets.redis_down_failed)],
      ...overRows(down),
      ["redis down: added p99, ms", outage.addedP99Ms, `at most ${targets.added_p99_ms}`],
      ["redis down: for so many ms", outage.addedForMs, `at most ${targets.added_for_ms}`],
      ["redis down: added to the median later, ms", outage.addedLaterMs, `at most ${targets.added_later_ms}`],
      ["redis back: shared again after ms", outage.sharedAgainMs, "in the run"],
      ...Object.entries(p99Ms).map(([name, ms]): [string, number, string] => [
        `p99 of a decision, ${name}, ms`,
        ms,
        "",
      ]),
    );
  }
  return rows.map(([name, is, must]) => [name, is === null ? "-" : numberOf(is), must]);
}
