import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { dialect } from "./dialect.ts";

const call = '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Lyon"}}\n</tool_call>';

let folder: string;
const log = vi.spyOn(console, "log").mockImplementation(() => {});
const printed = (): string => String(log.mock.lastCall![0]);

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "signalbox-dialect-"));
});
afterEach(() => vi.clearAllMocks());
afterAll(async () => {
  await rm(folder, { recursive: true });
  vi.restoreAllMocks();
});

async function detect(reply: string, ...more: string[]): Promise<number> {
  const file = path.join(folder, "reply.txt");
  await writeFile(file, reply);
  return dialect.run(["detect", file, ...more]);
}

test("names the dialect of a text, its calls, and why it is no other", async () => {
  expect(await detect(`A thought.</think>One moment.\n${call}`)).toBe(0);
  expect(printed()).toContain("hermes: Hermes JSON");
  expect(printed()).toContain("{ dialect: hermes, reasoning_first: true }");
  expect(printed()).toContain('call 1      get_weather {"city": "Lyon"}');
  expect(printed()).toContain("reasoning   10 characters");
  expect(printed()).toMatch(/qwen3_coder +makes the same of it; \d+ % of its own form is here/);
});

test("reads a completion, and a dump of a stream with its head", async () => {
  const choice = { index: 0, finish_reason: "stop" };
  expect(await detect(JSON.stringify({ choices: [{ ...choice, message: { content: call } }] }), "--json")).toBe(0);
  expect(JSON.parse(printed())).toMatchObject({ dialect: "hermes", input: { form: "completion" } });

  const chunks = [...call].map(
    (content) => `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content } }] })}\n\n`,
  );
  expect(await detect(`HTTP/1.1 200 OK\r\nserver: x\r\n\r\n${chunks.join("")}data: [DONE]\n\n`, "--json")).toBe(0);
  expect(JSON.parse(printed())).toMatchObject({
    dialect: "hermes",
    calls: [{ name: "get_weather", outcome: "clean" }],
    input: { form: "stream" },
  });
});

test("takes declared tools from a file: what they do not name is no call where the form may be text", async () => {
  const tools = path.join(folder, "tools.json");
  await writeFile(tools, JSON.stringify({ tools: [{ type: "function", function: { name: "get_weather" } }] }));
  expect(await detect('[get_weather(city="Lyon")]')).toBe(0);
  expect(printed()).toContain("with --tools FILE only declared tools are called");
  expect(await detect('[get_weather(city="Lyon")]', "--tools", tools)).toBe(0);
  expect(printed()).toContain("pythonic");
  expect(printed()).not.toContain("--tools");
  expect(await detect('[open_door(city="Lyon")]', "--tools", tools)).toBe(1);
  await writeFile(tools, "[]");
  await expect(detect(call, "--tools", tools)).rejects.toThrow("holds no tools");
});

test("finds nothing, with exit code 1, and says what comes near and what the engine has parsed", async () => {
  expect(await detect('<parameter name="city">Lyon</parameter>\n</invoke>\n</minimax:tool_call>')).toBe(1);
  expect(printed()).toMatch(
    /nearest +minimax_m2[\s\S]*seen .*<\/minimax:tool_call>[\s\S]*missing .*<minimax:tool_call>/,
  );
  expect(await detect(call.slice(0, 30))).toBe(1);
  expect(printed()).toContain("a call begins and does not come to a good end");
  expect(await detect("It is sunny.")).toBe(1);
  expect(printed()).toContain("nothing in it looks like a call");
  const message = { content: null, reasoning_content: "hm", tool_calls: [{ id: "a" }, { id: "b" }] };
  expect(await detect(JSON.stringify({ choices: [{ message }] }))).toBe(1);
  expect(printed()).toContain("the engine itself has parsed tool calls (2) and reasoning (2 characters)");
});

test("says how it is called", async () => {
  await expect(dialect.run([])).rejects.toThrow("one action: detect");
  await expect(dialect.run(["detect"])).rejects.toThrow("takes one file");
  await expect(dialect.run(["detect", path.join(folder, "nowhere")])).rejects.toThrow("there is no such file");
});
