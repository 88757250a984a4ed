import { expect, test } from "vitest";
import type { Quota } from "./quota.ts";
import { refusalOf } from "./refusal.ts";

test.each([0, 0.4, 0.6])("a spent budget begins anew with the period, not %s ms behind it", (past) => {
  const quota: Quota = {
    id: "team:a|tokens|month",
    scope: "team a",
    meter: "tokens",
    limit: 1000,
    span: { kind: "period", every: "month" },
  };
  const waitMs = 5000;
  const time = Date.UTC(2026, 11, 1) - waitMs + past;
  expect(refusalOf({ quota, limit: 1000, waitMs, holdMs: 0, time }).message).toMatch(/anew at 2026-12-01T00:00:00Z$/);
});
