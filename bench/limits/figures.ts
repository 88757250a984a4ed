import { type HonestWaits, honestWaits } from "./honest-waits.ts";
import { type OutageCost, outageCost } from "./outage.ts";
import { type Fullest, fullestWindows } from "./over-admission.ts";
import type { Seen } from "./run.ts";
import { loneTeam, trafficTeams } from "./teams.ts";
import type { Rule } from "./trace.ts";
import { type UnderAdmission, underAdmission } from "./under-admission.ts";

/** What replicas that count as one keep. */
export const targets = {
  over_requests_pct: 1,
  over_tokens_pct: { exact: 0, realistic: 5 },
  false_429_pct: 2,
  /** The most of a window that may lie between sending and decision: beyond it the judges see little. */
  blind_pct: 2,
  /** Of the waits that were told, at least. */
  honest_waits_pct: 99,
  /** A wait that is longer than it must be, at most. */
  long_waits_pct: 1,
  redis_down_failed: 0,
  added_p99_ms: 50,
  added_for_ms: 1000,
  added_later_ms: 0.2,
} as const;

/** How far the fullest windows are over their limits, in percent. */
interface Over {
  readonly over_requests_pct: number;
  readonly over_tokens_pct: { readonly exact: number; readonly realistic: number };
  readonly over_concurrent_pct: number;
}

/** All that a run shows, judged. */
export interface Figures extends Over {
  readonly false_429_pct: number;
  /** Neither answered nor refused, before Redis was lost. */
  readonly failed: number;
  readonly waits: HonestWaits;
  /** Of polite clients, who ask one thing at a time and come back when told to. */
  readonly returns: { readonly cameBack: number; readonly admittedPct: number };
  /** Null when Redis was not lost. */
  readonly redis_down_failed: number | null;
  /** Over all windows that end after the loss. */
  readonly redis_down_over: Over | null;
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
  const under = underAdmission(healthy);
  const cost = outage && outageCost(asked, outage, loneTeam);
  const cameBack = returns.filter(({ cameBackAt }) => cameBackAt < lostAt);
  const figures = {
    ...overOf(fullest),
    false_429_pct: under.falsePct,
    failed: asked.filter(({ failure, sentAt }) => failure !== undefined && sentAt < lostAt).length,
    waits: honestWaits(healthy),
    returns: {
      cameBack: cameBack.length,
      admittedPct: (cameBack.filter(({ admitted }) => admitted).length / Math.max(1, cameBack.length)) * 100,
    },
    redis_down_failed: cost?.failed ?? null,
    redis_down_over: cost ? overOf(cost.fullest) : null,
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

function overOf(fullest: readonly Fullest[]): Over {
  const most = (of: (rule: Rule) => boolean): number =>
    Math.max(0, ...fullest.map(({ rule, overPct }) => (of(rule) ? overPct : 0)));
  const isRough = ({ owner }: Rule): boolean => roughTeams.has(owner);
  return {
    over_requests_pct: most(({ meter }) => meter === "requests"),
    over_tokens_pct: {
      exact: most((rule) => rule.meter === "tokens" && !isRough(rule)),
      realistic: most((rule) => rule.meter === "tokens" && isRough(rule)),
    },
    over_concurrent_pct: most(({ meter }) => meter === "concurrent"),
  };
}

function missedBy(figures: Omit<Figures, "missed">): string[] {
  const { over_tokens_pct: tokens, waits, returns, outage, redis_down_over: downOver } = figures;
  const rows: [string, boolean][] = [
    ["over_requests_pct", figures.over_requests_pct <= targets.over_requests_pct],
    ["over_tokens_pct, exact", tokens.exact <= targets.over_tokens_pct.exact],
    ["over_tokens_pct, realistic", tokens.realistic <= targets.over_tokens_pct.realistic],
    ["over_concurrent_pct", figures.over_concurrent_pct === 0],
    ["false_429_pct", figures.false_429_pct <= targets.false_429_pct],
    ["failed", figures.failed === 0],
    ["the machine is too busy to tell", figures.fullest.every(({ blindPct }) => blindPct <= targets.blind_pct)],
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
      ["added p99 when redis was lost", outage.addedP99Ms <= targets.added_p99_ms],
      ["how long that lasted", outage.addedForMs <= targets.added_for_ms],
      ["added later", outage.addedLaterMs <= targets.added_later_ms],
      ["shared again", outage.sharedAgainMs !== null],
    );
  }
  if (downOver !== null) {
    const { over_tokens_pct: down } = downOver;
    const none = downOver.over_requests_pct + downOver.over_concurrent_pct + down.exact === 0;
    rows.push(["over a limit while redis was down", none && down.realistic <= targets.over_tokens_pct.realistic]);
  }
  return rows.filter(([, kept]) => !kept).map(([name]) => name);
}

function countFailures(failures: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const failure of failures) counts[failure] = (counts[failure] ?? 0) + 1;
  return counts;
}
