import { expect, test } from "vitest";
import { checkTruth } from "./check-truth.ts";
import { Checks } from "./checks.ts";
import { primaryAnswers } from "./expectations.ts";
import { Scrape } from "./metrics.ts";
import { fast } from "./profile.ts";
import { createScheduler } from "./run.ts";
import type { Scenario } from "./scenario.ts";
import { scenarios } from "./table.ts";
import { readAnswer } from "./wire-client.ts";

const scheduler = createScheduler({ profile: fast, seed: 7 });

test("every row has an id of its own", () => {
  const ids = scenarios.map(({ id }) => id);
  expect(ids).toEqual([...new Set(ids)]);
  for (const id of ids) expect(id).toMatch(/^F\d\d$/);
});

test("a row whose promise is not kept fails on all three sides, and says what was seen", async () => {
  const wrong: Scenario = {
    id: "F00",
    title: "a dead backend -> its own answer",
    cases: [{ fault: { kind: "dead" }, modes: ["stream"], expect: primaryAnswers() }],
  };
  const { outcome, failures } = await scheduler.play(wrong);
  expect(outcome).toBe("FAILED");
  expect(failures).toContain("stream: client: x-signalbox-backend is «fallback», not «primary»");
  expect(failures).toContain("stream: engines: the number of requests to the fallback is 1, not 0");
  expect(failures.join("\n")).toMatch(/stream: metrics: the growth of attempts_total\{.*\} is 0, not 1/);
});

test("an answer that was waited for is late, whatever the machine is busy with", async () => {
  const late: Scenario = {
    id: "F00",
    title: "a slow engine -> its answer within 50 ms",
    cases: [{ modes: ["whole"], pool: { primary: { firstTokenMs: 3000 } }, expect: primaryAnswers({ within: 50 }) }],
  };
  const { failures } = await scheduler.play(late);
  expect(failures).toHaveLength(1);
  expect(failures[0]).toMatch(/^whole: client: the end in ms is [34]\d\d\d/);
});

test("a row that asks nothing of a side, and gives no reason, fails", async () => {
  const play: Scenario["play"] = async ({ checks }) => checks.is("client", "all", "well", "well");
  const title = "nothing -> nothing";
  const silent = await scheduler.play({ id: "F00", title, play });
  expect(silent.failures).toEqual(["nothing was asked of the engines", "nothing was asked of the metrics"]);
  const unasked = { engines: "there is none", metrics: "there are none" };
  expect(await scheduler.play({ id: "F00", title, play, unasked })).toMatchObject({ outcome: "ok" });
});

test("a row that throws has failed; one that cannot be played is skipped", async () => {
  const play: Scenario["play"] = async () => {
    throw new Error("broken row");
  };
  expect((await scheduler.play({ id: "F00", title: "", play })).failures[0]).toContain("broken row");
  const skipped = await scheduler.play({ id: "F00", title: "", skipped: "no such thing", play });
  expect(skipped).toMatchObject({ outcome: "skipped", reason: "no such thing" });
});

const chunk = (id: string, content: string, finish_reason: string | null = null): string =>
  `data: ${JSON.stringify({ id, choices: [{ index: 0, delta: { content }, finish_reason }] })}\n\n`;
const ERROR = `data: {"error":{"code":"stream_interrupted"}}\n\n`;

test.each([
  ["half an answer with a finish_reason", chunk("a", "w0 ") + chunk("a", "", "stop"), /reported as whole/],
  ["half an answer with [DONE]", `${chunk("a", "w0 ")}data: [DONE]\n\n`, /reported as whole/],
  ["a doubled word", chunk("a", "w0 w0 ") + ERROR, /no part of an answer/],
  ["a lost word", chunk("a", "w1 ") + ERROR, /no part of an answer/],
  ["two ids", chunk("a", "w0 ") + chunk("b", "w1 ") + ERROR, /number of ids/],
  ["two errors", chunk("a", "w0 ") + ERROR + ERROR, /number of errors/],
  ["an end behind the error", `${chunk("a", "w0 ")}${ERROR}data: [DONE]\n\n`, /an event follows the error/],
])("%s is called a lie", (_, text, seen) => {
  const answer = {
    status: 200,
    headers: { "content-type": "text/event-stream" },
    text,
    whole: true,
    headersMs: 1,
    ms: 1,
  };
  const checks = new Checks();
  checkTruth(checks, { ...answer, ...readAnswer(answer) }, ["w0 w1 "]);
  expect(checks.failures.join("\n")).toMatch(seen);
});

test("a scrape is summed over the labels that were not named", () => {
  const scrape = new Scrape('# TYPE a counter\na{x="1",y="p}"} 2\na{x="1",y="q"} 3\na{x="2",y="q"} 4e1\nb 5\n');
  expect(scrape.sum("a", { x: "1" })).toBe(5);
  expect(scrape.sum("a", { y: "q" })).toBe(43);
  expect(scrape.sum("b")).toBe(5);
  expect(scrape.sum("c")).toBe(0);
  expect(scrape.size).toBe(4);
});
