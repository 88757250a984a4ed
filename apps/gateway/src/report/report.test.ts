import { describe, expect, test } from "vitest";
import type { AlertThreshold, ThresholdName } from "../signals/alert-table.ts";
import { composeReport, type Report } from "./report.ts";
import type { ReportAlert } from "./report-alerts.ts";
import type { GatewayState, ReportData, ReportSeries } from "./report-data.ts";
import { reportHtml } from "./report-html.ts";
import { reportText } from "./report-text.ts";

const MINUTE = 60_000;
const START = Date.parse("2026-11-21T10:00:00Z");
const bounds = [1, 2, 4, 8];

const single: Readonly<Partial<Record<ThresholdName, number>>> = { min_failures: 5, min_requests: 20, retries: 0.1 };
const double: Readonly<Partial<Record<ThresholdName, readonly [number, number]>>> = {
  response_time: [2, 3],
  token_time: [0.25, 0.5],
  error_rate: [0.05, 0.1],
  queue: [25, 50],
  queue_wait: [5, 15],
  tool_call_failures: [0.05, 0.2],
  budget: [0.8, 1],
};
const thresholds: AlertThreshold[] = [
  ...Object.entries(single).map(([name, value]) => ({
    name: name as ThresholdName,
    severity: "" as const,
    model: "",
    value,
  })),
  ...Object.entries(double).flatMap(([name, [warning, critical]]) => [
    { name: name as ThresholdName, severity: "warning" as const, model: "", value: warning },
    { name: name as ThresholdName, severity: "critical" as const, model: "", value: critical },
  ]),
];

const quiet: GatewayState = {
  thresholds,
  backends: [],
  models: [{ name: "large", backends_up: 1 }],
  budgets: [],
  config_current: true,
  store_shared: true,
};

/** A minute: so many answers that were begun within each bucket, so many that failed, so many that wait. */
interface Minute {
  readonly begun?: readonly number[];
  readonly ok?: number;
  readonly failed?: number;
  readonly waiting?: number;
}

interface Shape {
  readonly minutes?: readonly Minute[];
  readonly team?: string;
  readonly state?: Partial<GatewayState>;
  readonly stepMs?: number;
}

function gateway({ minutes = [], team = "search", state = {}, stepMs = MINUTE }: Shape): ReportData {
  const of = (code: string, status: string): ReportSeries => ({
    count: "requests",
    labels: { team, model: "large", endpoint: "chat_completions", status, code },
  });
  const labels = { model: "large", backend: "x" };
  return {
    version: "0.1.0",
    config_hash: "0123456789abcdef",
    from: START,
    until: START + minutes.length * stepMs,
    step_ms: stepMs,
    series: [of("ok", "200"), of("upstream_failed", "502"), { count: "first_token", labels, bounds }],
    steps: minutes.map(({ begun, ok = 0, failed = 0, waiting = 0 }, at) => ({
      at: START + at * stepMs,
      waiting,
      added: [[0, [ok]], [1, [failed]], ...(begun === undefined ? [] : [[2, [...begun, 0]] as const])],
    })),
    state: { ...quiet, ...state },
    history: {
      scaling: { target: 0.7, waitMs: 2000, windowMs: 900_000 },
      slice_ms: MINUTE,
      now: 100,
      known: [3],
      backends: [],
      models: [],
    },
  };
}

const alertsOf = (...gateways: ReportData[]): readonly ReportAlert[] => composeReport(gateways, 60).alerts;
const at = (minute: number): string => new Date(START + minute * MINUTE).toISOString();
const many = (count: number, minute: Minute): Minute[] => Array<Minute>(count).fill(minute);

describe("several gateways together", () => {
  test("have the percentiles of all their buckets, not a mean of percentiles", () => {
    const quick = gateway({ minutes: [{ begun: [90, 0, 0, 0, 0] }] });
    const slow = gateway({ minutes: [{ begun: [0, 0, 0, 10, 0] }] });
    const { first_token } = composeReport([quick, slow], 1);
    expect(first_token).toMatchObject({ count: 100, p50: 0.555556, p95: 6, p99: 7.6 });
  });

  test("know all of the time only where each of them does", () => {
    const whole = gateway({ minutes: many(60, {}) });
    expect(composeReport([whole, whole], 60).complete).toBe(true);
    expect(composeReport([whole, { ...whole, from: START + MINUTE }], 60).complete).toBe(false);
  });
});

describe("alerts", () => {
  test("hold since the minute at which the condition was there first, with the worst that was seen", () => {
    const minutes = [...many(10, { ok: 100 }), { ok: 60, failed: 40 }, ...many(3, { ok: 90, failed: 10 })];
    expect(alertsOf(gateway({ minutes }))).toEqual([
      {
        name: "SignalboxErrorRate",
        severity: "critical",
        about: "large",
        value: expect.closeTo(0.14),
        threshold: 0.1,
        unit: "ratio",
        since: at(13),
        until: null,
      },
    ]);
  });

  test("that are over stay in the report, behind those that hold", () => {
    const late = { begun: [0, 0, 30, 0, 0] };
    const minutes = [late, ...many(10, { begun: [100, 0, 0, 0, 0] }), ...many(2, { ok: 50, failed: 50 })];
    const [first, ...others] = alertsOf(gateway({ minutes }));
    expect(first).toMatchObject({ name: "SignalboxErrorRate", until: null });
    expect(others).toEqual([
      expect.objectContaining({ name: "SignalboxResponseTime", severity: "critical", since: at(1), until: at(4) }),
      expect.objectContaining({ name: "SignalboxResponseTime", severity: "warning", since: at(1), until: at(6) }),
    ]);
  });

  test("are silent where too little was seen", () => {
    expect(alertsOf(gateway({ minutes: [{ failed: 4 }, { begun: [0, 0, 0, 19, 0] }] }))).toEqual([]);
  });

  test("are judged over all gateways", () => {
    const one = gateway({ minutes: [{ waiting: 30 }] });
    expect(alertsOf(one)).toEqual([
      expect.objectContaining({ name: "SignalboxQueue", severity: "warning", value: 30 }),
    ]);
    expect(alertsOf(one, one)).toEqual([expect.objectContaining({ severity: "critical", value: 60, threshold: 50 })]);
  });

  test("tell of what is down, used up or not in force now", () => {
    const backend = { name: "x", up: false, by_itself: true, reason: "", for_seconds: 90, waiting: 0 };
    const state: Partial<GatewayState> = {
      models: [{ name: "large", backends_up: 0 }],
      backends: [backend, { ...backend, name: "y", by_itself: false }],
      budgets: [{ team: "search", meter: "tokens", period: "month", used_ratio: 0.9 }],
      config_current: false,
      store_shared: false,
    };
    const alerts = alertsOf(gateway({ minutes: many(5, {}), state }));
    expect(alerts.map(({ name, about }) => [name, about])).toEqual([
      ["SignalboxModelDown", "large"],
      ["SignalboxBackendDown", "x"],
      ["SignalboxBudget", "search, tokens of the month"],
      ["SignalboxConfigReloadFailed", ""],
      ["SignalboxStoreDown", ""],
    ]);
    expect(alerts[1]!.since).toBe(new Date(START + 5 * MINUTE - 90_000).toISOString());
  });

  test("of a long time are judged by its longer steps", () => {
    const minutes = many(4, { ok: 80, failed: 20 });
    expect(alertsOf(gateway({ minutes, stepMs: 8 * MINUTE }))[0]).toMatchObject({
      name: "SignalboxErrorRate",
      value: 0.2,
    });
  });
});

describe("names that are markup, or long", () => {
  const team = `<script>alert("x")</script>&'${"long".repeat(40)}`;
  const report: Report = composeReport([gateway({ minutes: [{ ok: 5 }], team })], 1);

  test("are text in HTML", () => {
    const page = reportHtml(report);
    expect(page).not.toContain("<script");
    expect(page).toContain("&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;&amp;&#39;");
  });

  test("do not widen the text", () => {
    const lines = reportText(report).split("\n");
    expect(lines.filter((line) => line.length > 100)).toEqual([]);
    expect(lines.find((line) => line.includes("<script>"))).toMatch(/\.\.\. +5 /);
  });
});

test("a pool without a request has a report", () => {
  const report = composeReport([gateway({ minutes: [{}] })], 60);
  expect(report).toMatchObject({ requests: { total: 0, failed_share: 0 }, cost: null, teams: [], alerts: [] });
  expect(report.response_time).toEqual({ count: 0, mean: null, p50: null, p95: null, p99: null });
  expect(reportText(report)).toContain("response time p50, p95, p99     -, -, -");
  expect(reportHtml(report)).toContain("None.");
});

test("ten teams have rows of their own, and the others one together", () => {
  const gateways = Array.from({ length: 13 }, (_, index) =>
    gateway({ team: `t${index}`, minutes: [{ ok: index + 1 }] }),
  );
  const { teams, requests } = composeReport(gateways, 60);
  expect(teams).toHaveLength(11);
  expect(teams[0]).toMatchObject({ name: "t12", requests: 13 });
  expect(teams.at(-1)).toMatchObject({ name: "3 more", requests: 6 });
  expect(teams.reduce((sum, one) => sum + one.requests, 0)).toBe(requests.total);
});
