import { expect, test } from "vitest";
import type { Budget } from "../config/config.ts";
import { createMetrics } from "../signals/metrics.ts";
import { openTeam } from "../teams/keys.ts";
import { type BudgetBook, BudgetWatch } from "./budget-watch.ts";

function watched(
  budgets: readonly Budget[],
  first = async (): Promise<boolean> => true,
  labelOf = (team: string): string => team,
) {
  const used: Record<string, number> = {};
  const lines: Record<string, unknown>[] = [];
  const book = { silent: false };
  const clock = { now: Date.parse("2026-11-21T12:00:00Z") };
  const metrics = createMetrics();
  const usedOf: BudgetBook["usedOf"] = async (quotas) => {
    if (book.silent) throw new Error("nobody answers");
    return quotas.map(({ id }) => used[id] ?? 0);
  };
  const log = { warn: (event: string, facts = {}) => void lines.push({ event, ...facts }) };
  const watch = new BudgetWatch({
    book: { usedOf, isFirst: first },
    wallNow: () => clock.now,
    metrics,
    teams: { of: labelOf },
    log,
  });
  watch.follow([{ ...openTeam, name: "search", budgets }]);
  return { watch, used, lines, clock, metrics, book };
}

const month: Budget = { meter: "cost", every: "month", limit: 300e9 };
const id = "team:search|cost|month";

test("says once that 50, 80 and 100 % of a budget are used", async () => {
  const { watch, used, lines, metrics } = watched([month]);
  for (const amount of [10e9, 149e9, 150e9, 170e9, 299e9, 299e9, 300e9, 310e9]) {
    used[id] = amount;
    await watch.look();
  }
  expect(lines.map(({ percent }) => percent)).toEqual([50, 80, 100]);
  expect(lines[0]).toEqual({
    event: "a budget is being used up",
    team: "search",
    meter: "cost",
    period: "month",
    percent: 50,
    used: 150,
    budget: 300,
    begins_anew: "2026-12-01T00:00:00.000Z",
  });
  const text = await metrics.text();
  expect(text).toContain('signalbox_budget_used_ratio{team="search",meter="cost",period="month"} 1.0333');
  expect(text).toContain('signalbox_budget_alerts_total{team="search",meter="cost",period="month",percent="80"} 1');
});

test("what is given back and used again is not said again, and the next period begins anew", async () => {
  const { watch, used, lines, clock } = watched([month]);
  for (const amount of [160e9, 140e9, 160e9]) {
    used[id] = amount;
    await watch.look();
  }
  expect(lines).toHaveLength(1);
  clock.now = Date.parse("2026-12-01T00:00:00Z");
  used[id] = 0;
  await watch.look();
  used[id] = 151e9;
  await watch.look();
  expect(lines.map(({ begins_anew }) => begins_anew)).toEqual(["2026-12-01T00:00:00.000Z", "2027-01-01T00:00:00.000Z"]);
});

test("a budget of which the rest is too little for a request is used up, unless most of it is left", async () => {
  const { watch, used, lines, clock } = watched([month]);
  const span = { kind: "period", every: "month" } as const;
  const refuse = (): void => watch.refused({ id, scope: "team search", meter: "cost", limit: month.limit, span });
  used[id] = 200e9;
  refuse();
  await watch.look();
  expect(lines.map(({ percent }) => percent)).toEqual([50]);
  used[id] = 299e9;
  await watch.look();
  expect(lines.map(({ percent }) => percent)).toEqual([50, 80, 100]);
  clock.now = Date.parse("2026-12-05T00:00:00Z");
  await watch.look();
  expect(lines.map(({ percent }) => percent)).toEqual([50, 80, 100, 50, 80]);
});

test("what another replica has said already is not said again", async () => {
  const { watch, used, lines, metrics } = watched([month], async () => false);
  used[id] = 300e9;
  await watch.look();
  expect(lines).toEqual([]);
  expect(await metrics.text()).toContain("signalbox_budget_used_ratio{");
});

test("what was used before a restart was said before it", async () => {
  const { watch, used, lines } = watched([month]);
  used[id] = 200e9;
  await watch.look(true);
  await watch.look();
  used[id] = 240e9;
  await watch.look();
  expect(lines.map(({ percent }) => percent)).toEqual([80]);
});

test("a book that does not answer changes nothing, and a budget that is gone has no gauge", async () => {
  const { watch, used, metrics, book } = watched([month]);
  used[id] = 30e9;
  await watch.look();
  const gauge = "signalbox_budget_used_ratio{";
  book.silent = true;
  await watch.look();
  book.silent = false;
  expect(watch.levels.map((level) => level.used)).toEqual([30e9]);
  expect(await metrics.text()).toContain(gauge);
  watch.follow([]);
  await watch.look();
  expect(watch.levels).toEqual([]);
  expect(await metrics.text()).not.toContain(gauge);
});

test("teams without a label of their own are `other` together: the one that has least left, and the alerts of all", async () => {
  const { watch, used, metrics } = watched([month], undefined, () => "other");
  watch.follow(["one", "two", "three"].map((name) => ({ ...openTeam, name, budgets: [month] })));
  Object.assign(used, { "team:one|cost|month": 170e9, "team:two|cost|month": 240e9, "team:three|cost|month": 3e9 });
  await watch.look();
  const text = await metrics.text();
  expect(text.match(/^signalbox_budget_used_ratio\{.*/gm)).toEqual([
    'signalbox_budget_used_ratio{team="other",meter="cost",period="month"} 0.8',
  ]);
  expect(text).toContain('signalbox_budget_alerts_total{team="other",meter="cost",period="month",percent="50"} 2');
});
