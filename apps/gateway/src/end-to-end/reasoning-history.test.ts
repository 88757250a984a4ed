import { afterAll, beforeAll, expect, test } from "vitest";
import { startTestGateway, type TestGateway } from "./test-gateway.ts";

const tool = '{"type":"function","function":{"name":"look_up","parameters":{"maximum":9007199254740993}}}';
const turn =
  '{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"look_up","arguments":"{}"}}]';
const result = '{"role":"tool","tool_call_id":"c1","content":[{"type":"text","text":"found"}]}';

/** A conversation after its first tool call, with what a client keeps of the thought. */
const body = (model: string, thought: string, rest = "") =>
  `{"model":"${model}","messages":[{"role":"user","content":"hi"},${turn}${thought}},${result}],"seed":9007199254740993,"tools":[${tool}]${rest}}`;

let gateway: TestGateway<"m2" | "gpu" | "edge">;

beforeAll(async () => {
  gateway = await startTestGateway({
    engines: {
      m2: { kind: "sglang", models: ["m"] },
      gpu: { kind: "vllm", models: ["m"], toolParser: false },
      edge: { kind: "ollama", models: ["m"] },
    },
    yaml: ({ m2, gpu, edge }) => `
backends:
  m2: { kind: sglang, url: "${m2}" }
  gpu: { kind: vllm, url: "${gpu}", tool_parser: raw }
  edge: { kind: ollama, url: "${edge}", reasoning_history: inline }
models:
  m: { on: [{ backend: m2 }, { backend: gpu }], strategy: ordered, tools: true }
  raw: { on: [{ backend: gpu, model: m }], tools: true }
  small: { on: [{ backend: edge, model: m }], tools: true }
`,
  });
});
afterAll(() => gateway.close());

/** The bodies that an engine was asked with, since it was last looked at. */
const seen = new Map<string, number>();
function asked(engine: "m2" | "gpu" | "edge"): string[] {
  const bodies = gateway.engines[engine].log.flatMap(({ body }) => (body === undefined ? [] : [body.toString()]));
  const before = seen.get(engine) ?? 0;
  seen.set(engine, bodies.length);
  return bodies.slice(before).filter((text) => text !== "");
}

async function statusOf(text: string): Promise<number> {
  const response = await gateway.post("/v1/chat/completions", text);
  await response.text();
  return response.status;
}

const thought = String.raw`,"reasoning_content":"it \u003c that"`;

test("a fallback reads the thought where it looks for it, though the first engine looks elsewhere", async () => {
  gateway.engines.m2.fault({ kind: "not_json", times: 1 });
  expect(await statusOf(body("m", thought))).toBe(200);
  expect(asked("m2")).toEqual([body("m", thought)]);
  expect(asked("gpu")).toEqual([
    body("m", String.raw`,"reasoning":"it \u003c that"`, ',"tool_choice":"none","skip_special_tokens":false'),
  ]);
});

test("raw mode is answered by a vLLM without a parser", async () => {
  expect(await statusOf(body("raw", ""))).toBe(200);
  expect(asked("gpu")).toEqual([body("m", "", ',"tool_choice":"none","skip_special_tokens":false')]);
});

test("a thought goes into the content where no field is read, and a named tool is the only one", async () => {
  const choice = ',"tool_choice":{"type":"function","function":{"name":"look_up"}}';
  const two = (text: string) => text.replace('"tools":[', '"tools":[{"type":"function","function":{"name":"b"}}, ');
  expect(await statusOf(two(body("small", thought, choice)))).toBe(200);
  const inline = String.raw`"content":"<think>\nit \u003c that\n</think>\n\n"`;
  expect(asked("edge")).toEqual([body("m:latest", "", choice).replace('"content":null', inline)]);
});

test("a thought that is none is the caller's error, and no engine is asked", async () => {
  const response = await gateway.post("/v1/chat/completions", body("m", ',"reasoning":[1]'));
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({ error: { param: "messages.1.reasoning" } });
  expect([asked("m2"), asked("gpu")]).toEqual([[], []]);
});
