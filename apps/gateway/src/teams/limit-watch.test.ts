import { expect, test } from "vitest";
import type { Team } from "../config/config.ts";
import { createMetrics } from "../signals/metrics.ts";
import { LimitWatch } from "./limit-watch.ts";
import type { Quota } from "./quota.ts";

const teamOf = (name: string, limits: Team["limits"]): Team => ({ name, limits }) as Team;
const search = teamOf("search", {
  requests: [
    { limit: 10, windowMs: 1000 },
    { limit: 100, windowMs: 60_000 },
  ],
  concurrent: 4,
});

function watched(used: Record<string, number>, fails = { now: false }) {
  const metrics = createMetrics();
  const book = {
    async usedOf(quotas: readonly Quota[]) {
      if (fails.now) throw new Error("away");
      return quotas.map(({ id }) => used[id] ?? 0);
    },
  };
  const watch = new LimitWatch({ book, metrics, teams: { of: (team) => (team === "far" ? "other" : team) } });
  const shown = async () => (await metrics.text()).match(/^signalbox_limit_used_ratio.*$/gm) ?? [];
  return { watch, fails, shown };
}

test("shows the tightest window of each meter", async () => {
  const { watch, shown } = watched({
    "team:search|requests|1s": 2,
    "team:search|requests|60s": 80,
    "team:search|concurrent": 1,
  });
  watch.follow([search]);
  await watch.look();
  expect(await shown()).toEqual([
    'signalbox_limit_used_ratio{team="search",meter="requests"} 0.8',
    'signalbox_limit_used_ratio{team="search",meter="concurrent"} 0.25',
  ]);
});

test("of teams that share a label the one that has least left is shown, and none that is gone", async () => {
  const { watch, shown } = watched({ "team:far|concurrent": 3 });
  const far = teamOf("far", { concurrent: 4 });
  watch.follow([far, teamOf("far", { concurrent: 8 })]);
  await watch.look();
  expect(await shown()).toEqual(['signalbox_limit_used_ratio{team="other",meter="concurrent"} 0.75']);
  watch.follow([]);
  await watch.look();
  expect(await shown()).toEqual([]);
});

test("shows nothing while nobody knows", async () => {
  const { watch, shown, fails } = watched({});
  watch.follow([search]);
  await watch.look();
  expect(await shown()).toHaveLength(2);
  fails.now = true;
  await watch.look();
  expect(await shown()).toEqual([]);
});
