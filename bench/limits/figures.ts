import { type HonestWaits, honestWaits } from "./honest-waits.ts";
import { type OutageCost, outageCost } from "./outage.ts";
import { type Fullest, fullestWindows } from "./over-admission.ts";
import type { Seen } from "./run.ts";
import { loneTeam, trafficTeams } from "./teams.ts";
import { type UnderAdmission, underAdmission } from "./under-admission.ts";

/** What replicas that count as one keep. */
export const targets = {
  over_requests_pct: 1,
  over_tokens_pct: { exact: 0, realistic: 5 },
  false_429_pct: 2,
  /** Of the waits that were told, at least. */
  honest_waits_pct: 99,
  /** A wait that is longer than it must be, at most. */
  long_waits_pct: 1,
  redis_down_over_pct: 0,
  redis_down_failed: 0,
  added_p99_ms: 50,
  added_for_ms: 1000,
  added_later_ms: 0.2,
} as const;

/** All that a run shows, judged. */
export interface Figures {
  readonly over_requests_pct: number;
  readonly over_tokens_pct: { readonly exact: number; readonly realistic: number };
  readonly over_concurrent_pct: number;
  readonly false_429_pct: number;
  /** Neither answered nor refused, before Redis was lost. */
  readonly failed: number;
  readonly waits: HonestWaits;
  /** Of polite clients, who ask one thing at a time and come back when told to. */
  readonly returns: { readonly cameBack: number; readonly admittedPct: number };
  /** Null when Redis was not lost. */
  readonly redis_down_failed: number | null;
  readonly outage: OutageCost | null;
  readonly requests: { readonly asked: number; readonly admitted: number; readonly perSecond: number };
  readonly fullest: readonly Fullest[];
  readonly teams: UnderAdmission["teams"];
  readonly failures: Readonly<Record<string, number>>;
  /** What is not as it must be; empty when all is. */
  readonly missed: readonly string[];
}

const roughTeams = new Set(trafficTeams.filter(({ exact }) => !exact).map(({ name }) => name));

/** Judges a run by what clients and engines have seen of it. */
export function figuresOf({ asked, returns, outage, beganAt, endedAt }: Seen): Figures {
  const lostAt = outage?.lostAt ?? Number.POSITIVE_INFINITY;
  const healthy = asked.filter(({ unseen, failure, sentAt }) => !unseen && failure === undefined && sentAt < lostAt);
  const fullest = fullestWindows(healthy);
  const most = (of: (one: Fullest) => boolean): number =>
    Math.max(0, ...fullest.filter(of).map(({ overPct }) => overPct));
  const tokens = (exact: boolean) => (one: Fullest) =>
    one.rule.meter === "tokens" && roughTeams.has(one.rule.owner) !== exact;
  const under = underAdmission(healthy);
  const cost = outage && outageCost(asked, outage, loneTeam);
  const cameBack = returns.filter(({ cameBackAt }) => cameBackAt < lostAt);
  const figures = {
    over_requests_pct: most(({ rule }) => rule.meter === "requests"),
    over_tokens_pct: { exact: most(tokens(true)), realistic: most(tokens(false)) },
    over_concurrent_pct: most(({ rule }) => rule.meter === "concurrent"),
    false_429_pct: under.falsePct,
    failed: asked.filter(({ failure, sentAt }) => failure !== undefined && sentAt < lostAt).length,
    waits: honestWaits(healthy),
    returns: {
      cameBack: cameBack.length,
      admittedPct: (cameBack.filter(({ admitted }) => admitted).length / Math.max(1, cameBack.length)) * 100,
    },
    redis_down_failed: cost?.failed ?? null,
    outage: cost ?? null,
    requests: {
      asked: asked.length,
      admitted: asked.filter(({ admitted }) => admitted).length,
      perSecond: Math.round(asked.length / ((endedAt - beganAt) / 1000)),
    },
    fullest,
    teams: under.teams,
    failures: countFailures(asked.flatMap(({ failure }) => failure ?? [])),
  };
  return { ...figures, missed: missedBy(figures) };
}

function missedBy(figures: Omit<Figures, "missed">): string[] {
  const { over_tokens_pct: tokens, waits, returns, outage } = figures;
  const rows: [string, boolean][] = [
    ["over_requests_pct", figures.over_requests_pct <= targets.over_requests_pct],
    ["over_tokens_pct, exact", tokens.exact <= targets.over_tokens_pct.exact],
    ["over_tokens_pct, realistic", tokens.realistic <= targets.over_tokens_pct.realistic],
    ["over_concurrent_pct", figures.over_concurrent_pct === 0],
    ["false_429_pct", figures.false_429_pct <= targets.false_429_pct],
    ["failed", figures.failed === 0],
    ["waits kept", waits.keptPct >= targets.honest_waits_pct],
    ["waits too long", waits.tooLongPct <= targets.long_waits_pct],
    [
      "polite clients that came back and were admitted",
      returns.cameBack > 0 && returns.admittedPct >= targets.honest_waits_pct,
    ],
  ];
  if (outage !== null) {
    rows.push(
      ["redis_down_failed", outage.failed === targets.redis_down_failed],
      ["over a limit while redis was down", outage.overPct <= targets.redis_down_over_pct],
      ["added p99 when redis was lost", outage.addedP99Ms <= targets.added_p99_ms],
      ["how long that lasted", outage.addedForMs <= targets.added_for_ms],
      ["added later", outage.addedLaterMs <= targets.added_later_ms],
      ["shared again", outage.sharedAgainMs !== null],
    );
  }
  return rows.filter(([, kept]) => !kept).map(([name]) => name);
}

function countFailures(failures: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const failure of failures) counts[failure] = (counts[failure] ?? 0) + 1;
  return counts;
}
