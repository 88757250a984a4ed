import type { SimulatorInput } from "@signalbox/simulator";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readAnswer } from "../faults/wire-client.ts";
import { startTestGateway, type TestGateway } from "./test-gateway.ts";
import {
  bytes,
  type Engine,
  type Fields,
  type Had,
  interleaved,
  jsonBytes,
  kinds,
  paris,
  recorded,
  recordedBytes,
  rows,
  tools,
  usage,
  wholes,
} from "./tool-call-replies.ts";

let gateway: TestGateway<Engine>;
const marker = (what: string, stream: boolean) => `«${what}» ${stream ? "streamed" : "whole"}`;

beforeAll(async () => {
  const engineOf = (kind: Engine): SimulatorInput => ({
    kind,
    models: ["m-generic-cpu:3"],
    script: [
      { when: { contains: "«SS28»" }, reply: { raw: bytes(interleaved) } },
      ...rows
        .filter(({ engine }) => engine === kind)
        .map(({ what, sends }) => ({ when: { contains: marker(what, true) }, reply: { raw: bytes(sends) } })),
      ...wholes
        .filter(({ engine }) => engine === kind)
        .flatMap(({ what, body }) => [
          { when: { contains: marker(what, false) }, reply: { raw: jsonBytes(body) } },
          { when: { contains: marker(what, true) }, reply: { raw: jsonBytes(body) } },
        ]),
      ...recorded
        .filter(({ engine }) => engine === kind)
        .map(({ file }) => ({
          when: { contains: `«${file}»` },
          reply: { raw: recordedBytes(file) },
        })),
    ],
  });
  gateway = await startTestGateway({
    engines: Object.fromEntries(kinds.map((kind) => [kind, engineOf(kind)])) as Record<Engine, SimulatorInput>,
    yaml: (urls) => `
backends:
${kinds.map((kind) => `  ${kind}: { kind: ${kind}, url: "${urls[kind]}" }`).join("\n")}
models:
${kinds.map((kind) => `  ${kind}: { on: [{ backend: ${kind}, model: "m-generic-cpu:3" }], tools: true }`).join("\n")}
`,
  });
});
afterAll(() => gateway.close());

async function ask(engine: Engine, content: string, stream: boolean, more: Fields = {}) {
  const response = await gateway.post("/v1/chat/completions", {
    model: engine,
    stream,
    tools,
    messages: [{ role: "user", content }],
    ...more,
  });
  const text = await response.text();
  const headers = { "content-type": response.headers.get("content-type") ?? "" };
  return { status: response.status, text, ...readAnswer({ text, headers }) };
}

interface Part {
  readonly role?: string;
  readonly content?: string | null;
  readonly reasoning_content?: string;
  readonly tool_calls?: readonly { index?: number; id: string; type: string; function: Fields }[];
}

/** Puts an answer together as OpenAI's clients do, and looks for what they would fall over. */
function read(answer: Awaited<ReturnType<typeof ask>>): Had {
  const choices = answer.chunks.flatMap((one) => one.choices ?? []) as { delta?: Part; message?: Part }[];
  const parts = choices.map(({ delta, message }) => delta ?? message!);
  expect(parts.filter((part) => part.role !== undefined)).toEqual([parts[0]]);
  const made = parts.flatMap((part) => part.tool_calls ?? []);
  if (choices[0]?.delta !== undefined) expect(made.map(({ index }) => index)).toEqual(made.map((_, place) => place));
  else expect(made.filter((one) => "index" in one)).toEqual([]);
  expect(new Set(made.map(({ id }) => id)).size).toBe(made.length);
  for (const one of made) expect(one).toMatchObject({ id: expect.stringMatching(/./), type: "function" });
  const { finishes } = answer;
  expect(finishes).toHaveLength(1);
  const content = parts.map((part) => part.content ?? "").join("");
  const reasoning = parts.map((part) => part.reasoning_content ?? "").join("");
  return {
    ...(content === "" ? {} : { content }),
    ...(reasoning === "" ? {} : { reasoning }),
    ...(made.length === 0
      ? {}
      : { calls: made.map((one) => [one.function.name, one.function.arguments] as [string, string]) }),
    finish: finishes[0]!,
  };
}

describe("a stream comes out as OpenAI's would be:", () => {
  test.each(rows)("$what ($engine)", async ({ what, engine, has }) => {
    const answer = await ask(engine, marker(what, true), true);
    expect(answer).toMatchObject({ status: 200, done: true, error: undefined });
    expect(read(answer)).toEqual(has);
    expect(answer.chunks.filter((one) => one.usage)).toEqual([]);
  });

  test("SS22 usage comes once, at the end, where it was asked for", async () => {
    const more = { stream_options: { include_usage: true } };
    const answer = await ask("vllm", marker("SS22 usage in every chunk", true), true, more);
    expect(answer.chunks.filter((one) => one.usage)).toEqual([expect.objectContaining({ choices: [], usage })]);
    expect(answer.chunks.at(-1)?.usage).toEqual(usage);
  });
});

describe("a whole reply comes out as OpenAI's would be, and SS27 as a stream for a client that asked for one:", () => {
  test.each(wholes.flatMap((row) => [false, true].map((stream) => ({ ...row, stream }))))(
    "$what ($engine, stream: $stream)",
    async ({ what, engine, has, stream }) => {
      const answer = await ask(engine, marker(what, stream), stream);
      expect(answer).toMatchObject({ status: 200, done: stream, error: undefined });
      expect(read(answer)).toEqual(has);
    },
  );
});

test.each(recorded)("$file comes out with its calls in one piece", async ({ file, engine, has }) => {
  const answer = await ask(engine, `«${file}»`, true);
  expect(answer).toMatchObject({ status: 200, done: true });
  expect(read(answer)).toEqual(has);
});

test("SS28 choices that come interleaved are kept apart", async () => {
  const answer = await ask("vllm", "«SS28»", true, { n: 2 });
  expect(answer).toMatchObject({ status: 200, done: true, error: undefined });
  for (const [index, has] of [
    { calls: [["get_weather", paris]], finish: "tool_calls" },
    { content: "Hello you", finish: "stop" },
  ].entries()) {
    const chunks = answer.chunks.map((one) => ({ choices: one.choices!.filter((choice) => choice.index === index) }));
    const finishes = chunks.flatMap(({ choices }) => choices.flatMap((choice) => choice.finish_reason ?? []));
    expect(read({ ...answer, chunks, finishes })).toEqual(has);
  }
});

test("every call is counted by backend, model, dialect and outcome", async () => {
  const lines = (await gateway.metrics()).split("\n").filter((line) => line.startsWith("signalbox_tool_calls_total"));
  const count = (engine: Engine, dialect: string, outcome: string) =>
    Number(
      lines
        .find((line) =>
          line.includes(`{backend="${engine}",model="${engine}",dialect="${dialect}",outcome="${outcome}"}`),
        )
        ?.split(" ")
        .at(-1) ?? 0,
    );
  expect(count("ollama", "engine", "clean")).toBeGreaterThanOrEqual(4);
  expect(count("vllm", "engine", "repaired")).toBe(2);
  expect(count("vllm", "engine", "failed")).toBe(2);
  expect(count("llama_cpp", "engine", "failed")).toBeGreaterThanOrEqual(1);
  expect(count("llama_cpp", "auto", "leaked")).toBe(3);
  expect(count("sglang", "auto", "coerced")).toBe(1);
  expect(count("foundry_local", "auto", "leaked")).toBe(1);
});
