import { once } from "node:events";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startTestGateway, type TestGateway } from "./test-gateway.ts";

let gateway: TestGateway<"one">;

beforeAll(async () => {
  gateway = await startTestGateway({
    engines: { one: { kind: "vllm", models: ["m"], context: 20_000_000 } },
    yaml: ({ one }) => `
backends: { one: { kind: vllm, url: "${one}" } }
models: { m: { on: [{ backend: one, model: m }], embeddings: true, context: 20000k }, other: { on: [{ backend: one, model: m }] } }
`,
  });
});
afterAll(() => gateway.close());

const messages = [{ role: "user", content: "hi" }];
const good = { model: "m", messages };
const inferred = () => gateway.engines.one.log.filter(({ method }) => method === "POST");

interface ErrorAnswer {
  readonly error: {
    readonly message: string;
    readonly type: string;
    readonly param: string | null;
    readonly code: string;
  };
}

async function refusal(path: string, body: unknown): Promise<{ status: number } & ErrorAnswer["error"]> {
  const before = inferred().length;
  const response = await gateway.post(path, body);
  const { error } = (await response.json()) as ErrorAnswer;
  expect(inferred().length).toBe(before);
  return { status: response.status, ...error };
}

const nested = (depth: number) => `{"model":"m","messages":${"[".repeat(depth)}${"]".repeat(depth)}}`;
const keys = (count: number) => `{"model":"m","x":{${Array.from({ length: count }, (_, i) => `"${i}":1`).join(",")}}}`;

const bodies: [string, string | Buffer, string][] = [
  ["no body", "", "invalid_json"],
  ["spaces alone", "  \n ", "invalid_json"],
  ["null", "null", "invalid_json"],
  ["an array", '[{"model":"m"}]', "invalid_json"],
  ["a number", "42", "invalid_json"],
  ["a string", '"model"', "invalid_json"],
  ["half an object", '{"model":"m","messages":[', "invalid_json"],
  ["a string that does not end", '{"model":"m', "invalid_json"],
  ["more behind the object", `${JSON.stringify(good)} {}`, "invalid_json"],
  ["a bracket behind the object", `${JSON.stringify(good)}]`, "invalid_json"],
  ["a comma too many", '{"model":"m",}', "invalid_json"],
  ["single quotes", "{'model':'m'}", "invalid_json"],
  ["a comment", '{"model":"m"/* */}', "invalid_json"],
  ["NaN", '{"model":"m","n":NaN}', "invalid_json"],
  ["a line break in a string", '{"model":"m\n"}', "invalid_json"],
  ["a byte order mark", `\ufeff${JSON.stringify(good)}`, "invalid_json"],
  ["bytes that are not UTF-8", Buffer.from('{"model":"m\xff"}', "latin1"), "invalid_json"],
  ["UTF-16", Buffer.from(JSON.stringify(good), "utf16le"), "invalid_json"],
  ["a form", "model=m&messages=hi", "invalid_json"],
  ["129 levels", nested(129), "json_too_deep"],
  ["a million brackets", nested(1_000_000), "json_too_deep"],
  ["a million braces", `${'{"a":'.repeat(1_000_000)}1`, "json_too_deep"],
  ["a million keys", keys(1_000_000), "json_too_many_keys"],
  ["model twice", '{"model":"m","messages":[],"model":"other"}', "duplicate_key"],
  ["model twice, once with an escape", '{"model":"m","messages":[],"mod\\u0065l":"other"}', "duplicate_key"],
  ["messages twice", '{"model":"m","messages":[],"messages":[]}', "duplicate_key"],
];

describe("a body that is no JSON object is 400 and goes nowhere", () => {
  test.each(bodies)("%s", async (_what, body, code) => {
    const began = performance.now();
    const before = inferred().length;
    const response = await fetch(`${gateway.url}/v1/chat/completions`, { method: "POST", body: body as string });
    const { error } = (await response.json()) as ErrorAnswer;
    expect(error).toMatchObject({ code, type: "invalid_request_error" });
    expect(response.status).toBe(400);
    expect(inferred().length).toBe(before);
    expect(performance.now() - began).toBeLessThan(1000);
  });

  test("the message has the place, and never the text around it", async () => {
    const { message } = await refusal("/v1/chat/completions", '{"model":"m","messages":[{"content":"my secret" oops');
    expect(message).toMatch(/\d+/);
    expect(message).not.toContain("secret");
    expect(message).not.toContain("oops");
  });
});

const chat = "/v1/chat/completions";
const wrong: [string, unknown, string, RegExp][] = [
  [chat, { messages }, "model", /expected string/],
  [chat, { model: null, messages }, "model", /expected string/],
  [chat, { model: 7, messages }, "model", /expected string/],
  [chat, { model: ["m"], messages }, "model", /expected string/],
  [chat, { model: "", messages }, "model", /1/],
  [chat, { model: "x".repeat(1_000_000), messages }, "model", /256/],
  [chat, { model: "m" }, "messages", /expected array/],
  [chat, { model: "m", messages: "hi" }, "messages", /expected array/],
  [chat, { model: "m", messages: [] }, "messages", /1/],
  [chat, { model: "m", messages: [null] }, "messages.0", /expected object/],
  [chat, { model: "m", messages: ["hi"] }, "messages.0", /expected object/],
  [chat, { model: "m", messages: [{ content: "hi" }] }, "messages.0.role", /expected string/],
  [chat, { model: "m", messages: [...messages, { role: 7 }] }, "messages.1.role", /expected string/],
  [chat, { model: "m", messages: [{ role: "user", content: 7 }] }, "messages.0.content", /expected string or array/],
  [
    chat,
    { model: "m", messages: [{ role: "user", content: [{ text: "hi" }] }] },
    "messages.0.content.0.type",
    /expected string/,
  ],
  [chat, { model: "m", messages: [{ role: "assistant", tool_calls: {} }] }, "messages.0.tool_calls", /expected array/],
  [chat, { ...good, stream: "yes" }, "stream", /expected boolean/],
  [chat, { ...good, stream: 1 }, "stream", /expected boolean/],
  [chat, { ...good, stream_options: "usage" }, "stream_options", /expected object/],
  [chat, { ...good, stream_options: { include_usage: 1 } }, "stream_options.include_usage", /expected boolean/],
  [chat, { ...good, n: 0 }, "n", /1/],
  [chat, { ...good, n: 1.5 }, "n", /int/],
  [chat, { ...good, n: 1e9 }, "n", /128/],
  [chat, { ...good, max_tokens: -1 }, "max_tokens", /0/],
  [chat, { ...good, max_tokens: "10" }, "max_tokens", /expected number/],
  [chat, { ...good, max_completion_tokens: 1.5 }, "max_completion_tokens", /int/],
  [chat, { ...good, temperature: "hot" }, "temperature", /expected number/],
  [chat, { ...good, top_p: [] }, "top_p", /expected number/],
  [chat, { ...good, stop: 5 }, "stop", /expected string or array/],
  [chat, { ...good, stop: ["a", 5] }, "stop.1", /expected string/],
  [chat, { ...good, tools: {} }, "tools", /expected array/],
  [chat, { ...good, tools: [5] }, "tools.0", /expected object/],
  [chat, { ...good, tools: [{ type: "function", function: {} }] }, "tools.0.function.name", /expected string/],
  [chat, { ...good, tool_choice: 5 }, "tool_choice", /expected string or object/],
  [chat, { ...good, response_format: "json" }, "response_format", /expected object/],
  [chat, { ...good, response_format: {} }, "response_format.type", /expected string/],
  ["/v1/completions", { model: "m" }, "prompt", /expected string or array/],
  ["/v1/completions", { model: "m", prompt: { text: "hi" } }, "prompt", /expected string or array/],
  ["/v1/embeddings", { model: "m" }, "input", /expected string or array/],
  ["/v1/completions", { model: "m", prompt: [] }, "prompt", />=1/],
  ["/v1/embeddings", { model: "m", input: [{}] }, "input", /expected|wrong/],
  ["/v1/embeddings", { model: "m", input: [] }, "input", />=1/],
  ["/v1/embeddings", { model: "m", input: [[]] }, "input", />=1/],
];

const cases = wrong.map(([path, body, param, message]) => {
  return { path, body, param, message, shown: JSON.stringify(body).slice(0, 80) };
});
test.each(cases)(
  "a wrong type is told with its field: $path $shown → $param",
  async ({ path, body, param, message }) => {
    const error = await refusal(path, body);
    expect(error).toMatchObject({ status: 400, code: "invalid_request", type: "invalid_request_error" });
    expect(error.param === param || error.param?.startsWith(`${param}.`)).toBe(true);
    expect(error.message.startsWith(`${error.param}: `)).toBe(true);
    expect(error.message).toMatch(message);
    expect(error.message.length).toBeLessThan(400);
  },
);

test("embeddings that are asked for as a stream come whole", async () => {
  const response = await gateway.post("/v1/embeddings", { model: "m", input: "hi", stream: true });
  expect(response.status).toBe(200);
  expect(await response.json()).toMatchObject({ object: "list", data: [{ index: 0 }] });
});

test("a client that leaves while it sends its body is no request for a backend", async () => {
  const before = inferred().length;
  const socket = connect(gateway.port, "127.0.0.1");
  const lines = gateway.requestLines().length;
  await once(socket, "connect");
  socket.write(`POST ${chat} HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n{"model":`);
  await expect.poll(async () => /^signalbox_in_flight_requests (\d+)$/m.exec(await gateway.metrics())?.[1]).toBe("1");
  socket.resetAndDestroy();
  await expect.poll(() => gateway.requestLines().length).toBe(lines + 1);
  expect(gateway.requestLines().at(-1)).toMatchObject({
    status: 499,
    code: "client_closed_request",
    outcome: "client_gone",
    attempts: 0,
  });
  expect(inferred().length).toBe(before);
});

test("names of inherited members are unknown models, not found ones", async () => {
  for (const model of ["__proto__", "constructor", "toString", "hasOwnProperty"]) {
    expect(await refusal(chat, { model, messages })).toMatchObject({ status: 404, code: "model_not_found" });
  }
});
