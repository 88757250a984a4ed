import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { statusTable } from "../cli/status.ts";
import type { Status } from "../routes/status.ts";
import { startTestGateway, type TestGateway } from "./test-gateway.ts";

const folder = mkdtempSync(join(tmpdir(), "signalbox-signals-"));
const file = join(folder, "failed-replies.jsonl");

const whole =
  '<minimax:tool_call>\n<invoke name="send">\n<parameter name="to">Anna</parameter>\n</invoke>\n</minimax:tool_call>';
const cut = '<minimax:tool_call>\n<invoke name="send">\n<parameter name="to">anna.kovacs@example.org, card 4111 1111';
const replies = [
  { when: { contains: "whole" }, reply: { text: `A thought.</think>${whole}` } },
  { when: { contains: "cut" }, reply: { text: `A note on 4242.</think>${cut}`, finish_reason: "length" } },
  { when: { contains: "endless" }, reply: { text: "A thought without an end." } },
];

let gateway: TestGateway<"one">;

beforeAll(async () => {
  gateway = await startTestGateway({
    engines: { one: { kind: "sglang", models: ["m"], script: replies } },
    yaml: ({ one }) => `
server: { listen: 127.0.0.1:0, admin: 127.0.0.1:0, capture: { file: ${file} } }
backends: { one: { kind: sglang, url: "${one}", tool_parser: raw } }
models: { m: { on: [{ backend: one, model: m, dialect: minimax_m2, reasoning_first: true }] } }
`,
  });
  for (const word of ["whole", "whole", "cut", "endless"]) {
    for (const stream of [false, true]) await ask(word, stream);
  }
});
afterAll(async () => {
  await gateway.close();
  rmSync(folder, { recursive: true });
});

async function ask(word: string, stream: boolean): Promise<void> {
  const tool = { type: "function", function: { name: "send", parameters: { properties: { to: { type: "string" } } } } };
  const body = { model: "m", stream, messages: [{ role: "user", content: word }], tools: [tool] };
  const response = await gateway.post("/v1/chat/completions", body);
  expect([response.status, (await response.text()).includes('"finish_reason"')]).toEqual([200, true]);
}

test("counts what became of calls, and thoughts that never ended", async () => {
  const metrics = await gateway.metrics();
  const labels = 'backend="one",model="m",dialect="minimax_m2"';
  expect(metrics).toContain(`signalbox_tool_calls_total{${labels},outcome="clean"} 4\n`);
  expect(metrics).toContain(`signalbox_tool_calls_total{${labels},outcome="failed"} 2\n`);
  expect(metrics).toContain(`signalbox_unclosed_reasoning_total{${labels}} 2\n`);
  expect(metrics).toContain('signalbox_captures_total{result="written"} 2\n');
});

test("/status and the table of `signalbox status` show the success rate of a model and dialect", async () => {
  const status = (await (await fetch(`${gateway.adminUrl}/status`)).json()) as Status;
  expect(status.tool_calls).toEqual([
    {
      model: "m",
      dialect: "minimax_m2",
      total: 6,
      success_percent: 66.6,
      ...{ clean: 4, leaked: 0, coerced: 0, repaired: 0, failed: 2, denied: 0 },
    },
  ]);
  expect(statusTable(status)).toMatch(
    /\nMODEL +DIALECT +TOOL CALLS +SUCCESS.*\nm +minimax_m2 +6 +66\.6 % +4 +0 +0 +0 +2 +0$/,
  );
});

test("the log tells how many calls had which fate, and nothing of what they hold", () => {
  const told = gateway.requestLines().map(({ tool_calls }) => tool_calls);
  expect(told.slice(0, 6)).toEqual([
    { clean: 1 },
    { clean: 1 },
    { clean: 1 },
    { clean: 1 },
    { failed: 1 },
    { failed: 1 },
  ]);
  expect(told.slice(6)).toEqual([undefined, undefined]);
  expect(gateway.logLines().join("\n")).not.toContain("Anna");
});

test("keeps the failed replies as vectors, streamed or not, without what they said", () => {
  const lines = readFileSync(file, "utf8").trim().split("\n");
  const vectors = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  const masked = `x xxxx xx 1111.</think>${cut.replace("anna.kovacs@example.org, card 4111 1111", "xxxx.xxxxxx@xxxxxxx.xxx, xxxx 1111 1111")}`;
  for (const vector of vectors) {
    expect(vector).toMatchObject({
      dialect: "minimax_m2",
      reasoning_first: true,
      upstream_finish: "length",
      input: masked,
    });
  }
  expect(vectors).toHaveLength(2);
});
