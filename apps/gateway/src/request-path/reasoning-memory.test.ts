import type { Model } from "@signalbox/router";
import { beforeEach, describe, expect, test } from "vitest";
import { createMetrics, type Metrics } from "../signals/metrics.ts";
import { comesOnce, createReasoningMemory, type ReasoningMemory } from "./reasoning-memory.ts";

const HOUR = 3_600_000;
const KiB = 1024;
const model = { name: "m2", rememberReasoningMs: HOUR } as Model;
const idOf = (n: number) => `call_7f3a9c2e5b1d${n.toString(16).padStart(12, "0")}`;
const firstCall = idOf(0);

let now: number;
let metrics: Metrics;
let memory: ReasoningMemory;
beforeEach(() => {
  now = 0;
  metrics = createMetrics();
  memory = createReasoningMemory({ metrics, now: () => now, maxBytes: 64 * KiB });
});
const counted = (result: string): number =>
  metrics.counter("signalbox_reasoning_remembered_total", { model: "m2", result }).value;
const recalled = (team: string, id: string): unknown => {
  const text = memory.recall(team, id);
  return text === undefined ? undefined : JSON.parse(`"${text}"`);
};

test.each(['"a"\n\\n\u2028\u0000', "\u{1F682} café", "\ud83d half, half \udc82"])(
  "gives %j back as it was",
  (reasoning) => {
    memory.keep({ firstCall, reasoning }, "search", model);
    expect(recalled("search", firstCall)).toBe(reasoning);
  },
);

test("one team's id is unknown to another", () => {
  memory.keep({ firstCall, reasoning: "Mine." }, "search", model);
  memory.keep({ firstCall, reasoning: "Ours." }, "payments", model);
  expect([recalled("search", firstCall), recalled("payments", firstCall)]).toEqual(["Mine.", "Ours."]);
  expect(recalled("other", firstCall)).toBeUndefined();
});

test("keeps nothing without a call, without a thought, or for a model that is not told to", () => {
  memory.keep({ firstCall: undefined, reasoning: "Why?" }, "search", model);
  memory.keep({ firstCall, reasoning: "" }, "search", model);
  memory.keep({ firstCall, reasoning: "Why?" }, "search", { ...model, rememberReasoningMs: undefined });
  expect([memory.size, memory.bytes, counted("kept"), counted("unfit")]).toEqual([0, 0, 0, 0]);
});

test("a thought lasts for its time since it was last asked for", () => {
  memory.keep({ firstCall, reasoning: "Rain." }, "search", model);
  now = HOUR - 1;
  expect(recalled("search", firstCall)).toBe("Rain.");
  now += HOUR - 1;
  expect(recalled("search", firstCall)).toBe("Rain.");
  now += HOUR;
  expect(recalled("search", firstCall)).toBeUndefined();
  expect([memory.size, memory.bytes]).toEqual([0, 0]);
});

test("a sweep frees what nobody asks for, whatever its time and its age", () => {
  memory.keep({ firstCall: idOf(1), reasoning: "long" }, "search", model);
  memory.keep({ firstCall: idOf(2), reasoning: "short" }, "search", { ...model, rememberReasoningMs: 1000 });
  now = 1000;
  memory.sweep();
  expect([memory.size, recalled("search", idOf(1))]).toEqual([1, "long"]);
  now += HOUR;
  memory.sweep();
  expect([memory.size, memory.bytes]).toEqual([0, 0]);
});

test("what was not asked for the longest gives way, and the bound holds at every step", () => {
  const reasoning = "x".repeat(KiB);
  for (let n = 0; n < 500; n++) {
    memory.keep({ firstCall: idOf(n), reasoning }, "search", model);
    expect(memory.bytes).toBeLessThanOrEqual(64 * KiB);
    expect(recalled("search", idOf(0))).toBe(reasoning);
  }
  expect(memory.size).toBe(42);
  expect(counted("evicted")).toBe(500 - 42);
  expect([recalled("search", idOf(458)), recalled("search", idOf(459))]).toEqual([undefined, reasoning]);
  memory.clear();
  expect([memory.size, memory.bytes]).toEqual([0, 0]);
  memory.keep({ firstCall, reasoning }, "search", model);
  expect(memory.size).toBe(1);
});

test("an id that is kept again counts once", () => {
  memory.keep({ firstCall, reasoning: "first" }, "search", model);
  const { bytes } = memory;
  memory.keep({ firstCall, reasoning: "later" }, "search", model);
  expect([memory.size, memory.bytes, recalled("search", firstCall)]).toEqual([1, bytes, "later"]);
});

test("a thought of more than 256 KiB is not kept, counted in bytes as it is sent", () => {
  memory = createReasoningMemory({ metrics, now: () => now });
  memory.keep({ firstCall: idOf(1), reasoning: "x".repeat(256 * KiB) }, "search", model);
  memory.keep({ firstCall: idOf(2), reasoning: "x".repeat(256 * KiB + 1) }, "search", model);
  memory.keep({ firstCall: idOf(3), reasoning: "é".repeat(129 * KiB) }, "search", model);
  memory.keep({ firstCall: idOf(4), reasoning: "\n".repeat(129 * KiB) }, "search", model);
  expect([memory.size, counted("kept"), counted("unfit")]).toEqual([1, 1, 3]);
});

describe("an id is trusted only where it cannot come again", () => {
  test.each([
    "call_7f3a9c2e5b1d4a6f8e0c9b7d",
    "chatcmpl-tool-7f3a9c2e5b1d4a6f8e0c9b7d12345678",
    "chatcmpl-tool-550e8400-e29b-41d4-a716-4466554400a1",
    "pLKy7mT1QeZx0cVb3NnR8sDf2GhJ4wUa",
    "toolu_01A09q90qw90lq917835lq9",
  ])("%s is", (id) => expect(comesOnce(id)).toBe(true));
  test.each([
    "call_1",
    "call_x7k2m9qp",
    "a1B2c3D4e",
    "functions.look_up:0",
    "functions.get_weather_forecast:12",
    "call_00000000000000000000001a",
    "call_000000000000000000000001",
    "call_getWeatherInformation1",
    "get_weather_information_of_city",
    `call_${"7f3a9c2e".repeat(64)}`,
  ])("%s is not", (id) => {
    expect(comesOnce(id)).toBe(false);
    memory.keep({ firstCall: id, reasoning: "Why?" }, "search", model);
    expect([memory.size, counted("unfit")]).toEqual([0, 1]);
  });
});
