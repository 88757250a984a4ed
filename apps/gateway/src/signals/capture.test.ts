import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readTools } from "@signalbox/adapter";
import { afterAll, expect, test } from "vitest";
import { type Capture, type CaptureOptions, createCapture } from "./capture.ts";
import { createMetrics } from "./metrics.ts";

const folder = mkdtempSync(join(tmpdir(), "signalbox-capture-"));
afterAll(() => rmSync(folder, { recursive: true }));

const tools = readTools([{ type: "function", function: { name: "send", parameters: { properties: { to: {} } } } }]);
const source = {
  id: "request-1",
  backend: "gpu",
  model: "large",
  dialect: "hermes",
  reasoningFirst: false,
  tools: () => tools,
};
const input = '<tool_call>{"name": "send", "arguments": {"to": "anna@example.org"';
type RawReply = Parameters<Capture["take"]>[0];
const failed = (text = input): RawReply => ({ text, finish: "length", outcomes: new Set(["failed"]) });

function start(name: string, more: Partial<CaptureOptions> = {}) {
  const metrics = createMetrics();
  const warnings: unknown[] = [];
  const file = join(folder, name);
  const log = { warn: (_event: string, facts?: Record<string, unknown>) => void warnings.push(facts?.problem) };
  const capture = createCapture({ file, maxBytes: 1024 * 1024, outcomes: ["failed"], metrics, log, ...more });
  const lines = () =>
    readFileSync(file, "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { input: string });
  const results = () =>
    Object.fromEntries(metrics.series("signalbox_captures_total").map(({ labels, value }) => [labels.result, value]));
  return { capture, file, warnings, lines, results };
}

test("writes a vector without what the reply said, for the owner's eyes alone", async () => {
  const { capture, file, lines, results } = start("one.jsonl");
  capture.take(failed(), source);
  await capture.flush();
  expect(lines()).toEqual([
    {
      id: "request-1.1",
      dialect: "hermes",
      reasoning_first: false,
      input: '<tool_call>{"name": "send", "arguments": {"to": "xxxx@xxxxxxx.xxx"',
      upstream_finish: "length",
      outcomes: ["failed"],
      backend: "gpu",
      model: "large",
      at: expect.stringMatching(/^\d{4}-/),
    },
  ]);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(results()).toEqual({ written: 1 });
});

test("takes the sorts of replies that it was asked for, and makes no file for others", async () => {
  const { capture, file } = start("none.jsonl");
  capture.take({ ...failed(), outcomes: new Set(["clean", "repaired"] as const) }, source);
  capture.take(failed(""), source);
  await capture.flush();
  expect(existsSync(file)).toBe(false);
  const other = start("repaired.jsonl", { outcomes: ["repaired"] });
  other.capture.take({ ...failed(), outcomes: new Set(["clean", "repaired"] as const) }, source);
  await other.capture.flush();
  expect(other.lines()).toHaveLength(1);
});

test("stops at its size, over restarts, too, and says so once", async () => {
  const maxBytes = 700;
  for (let round = 0; round < 2; round++) {
    const { capture, file, warnings, results } = start("full.jsonl", { maxBytes });
    for (let i = 0; i < 10; i++) capture.take(failed(), source);
    await capture.flush();
    expect(statSync(file).size).toBeLessThanOrEqual(maxBytes);
    expect(warnings).toEqual(["the file of captured replies is full"]);
    expect(results()).toEqual(round === 0 ? { written: 2, full: 8 } : { full: 10 });
  }
});

test("more than it can write is dropped and counted", async () => {
  const { capture, lines, results } = start("many.jsonl");
  for (let i = 0; i < 100; i++) capture.take(failed(), source);
  await capture.flush();
  expect(lines()).toHaveLength(64);
  expect(results()).toEqual({ written: 64, dropped: 36 });
});

test("a file that cannot be written is said once, and never thrown", async () => {
  mkdirSync(join(folder, "folder"));
  writeFileSync(join(folder, "target"), "");
  symlinkSync(join(folder, "target"), join(folder, "link"));
  for (const name of ["folder", "link", "missing/file"]) {
    const { capture, warnings, results } = start(name);
    capture.take(failed(), source);
    capture.take(failed(), source);
    await capture.flush();
    expect(warnings).toHaveLength(1);
    expect(results()).toEqual({ error: 2 });
  }
});

test("a file that others could read is closed to them", async () => {
  const { capture, file } = start("open.jsonl");
  writeFileSync(file, "");
  chmodSync(file, 0o644);
  capture.take(failed(), source);
  await capture.flush();
  expect(statSync(file).mode & 0o777).toBe(0o600);
});
