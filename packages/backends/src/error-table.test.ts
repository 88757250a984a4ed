import { describe, expect, test } from "vitest";
import { isErrorPayload } from "./error-body.ts";
import { readErrorWith } from "./error-table.ts";
import { kinds } from "./kinds.ts";
import { readRecording, readRecordings } from "./recording.ts";

const read = (status: number, body: string) => readErrorWith([])({ status, headers: {}, body });
const bodyOf = (name: string) => readRecording(name).body.toString("utf8");

describe("without a row of its own, an error means what its status says", () => {
  test.each([
    [400, "caller"],
    [401, "auth"],
    [402, "auth"],
    [403, "auth"],
    [404, "model_missing"],
    [405, "model_missing"],
    [408, "server"],
    [409, "caller"],
    [413, "context_length"],
    [422, "caller"],
    [429, "busy"],
    [500, "server"],
    [501, "model_missing"],
    [502, "server"],
    [503, "busy"],
    [504, "server"],
    [529, "busy"],
  ] as const)("%i: %s", (status, meaning) => {
    expect(read(status, "")).toMatchObject({ status, meaning, message: expect.any(String) });
  });
});

test("the first row that holds wins, and all that a row names has to hold", () => {
  const readError = readErrorWith([
    { meaning: "loading", status: [503], code: ["warm"], message: ["please wait"] },
    { meaning: "server", status: [503], code: ["warm"] },
  ]);
  const ask = (status: number, code: string, message: string) =>
    readError({ status, headers: {}, body: JSON.stringify({ error: { code, message } }) }).meaning;
  expect(ask(503, "WARM", "Please WAIT a little")).toBe("loading");
  expect(ask(503, "warm", "no")).toBe("server");
  expect(ask(503, "cold", "please wait")).toBe("busy");
  expect(ask(500, "warm", "please wait")).toBe("server");
});

describe("an error under 200", () => {
  test.each([
    ['{"error":{"message":"x","code":503}}', 503, "busy"],
    ['{"error":{"message":"x","code":"429"}}', 429, "busy"],
    ['{"object":"error","message":"x","code":400}', 400, "caller"],
    ['{"error":{"message":"x","type":"invalid_request_error"}}', 400, "caller"],
    ['{"error":{"message":"x","type":"overloaded_error"}}', 503, "busy"],
    ['{"error":{"message":"x","code":200}}', 500, "server"],
    ['{"error":"unexpected EOF"}', 500, "server"],
  ])("%s has the status that it names", (body, status, meaning) => {
    expect(isErrorPayload(JSON.parse(body))).toBe(true);
    expect(read(200, body)).toMatchObject({ status, meaning });
  });

  test.each([
    '{"error":null,"choices":[]}',
    '{"base_resp":{"status_code":0,"status_msg":""},"choices":[]}',
    '{"object":"chat.completion","choices":[]}',
    "[]",
    "null",
    '"error"',
  ])("%s is none", (body) => {
    expect(isErrorPayload(JSON.parse(body))).toBe(false);
  });
});

describe("the message", () => {
  test("is one line of at most 500 characters", () => {
    const { message } = read(400, JSON.stringify({ error: { message: `a\nb\r\n${"é".repeat(5000)}` } }));
    expect(message.startsWith("a b é")).toBe(true);
    expect(message).toHaveLength(500);
    expect(read(400, JSON.stringify({ error: { message: `${"a".repeat(499)}😀` } })).message.isWellFormed()).toBe(true);
  });

  test.each(["vllm-0.32.0/err_type.txt", "llama-cpp-python-0.3.36/err_role.txt"])(
    "does not quote the input that a validation error quotes (%s)",
    (name) => {
      expect(bodyOf(name)).toContain("'input': ");
      expect(read(400, bodyOf(name)).message).toMatch(/^\d+ validation errors?: .*'msg': [^\n]+$/);
      expect(read(400, bodyOf(name)).message).not.toContain("'input'");
    },
  );

  test("tells which field FastAPI found wrong, without what was in it", () => {
    const body =
      '{"detail":[{"type":"list_type","loc":["body","messages",0],"msg":"should be a list","input":"my secret"}]}';
    expect(read(422, body).message).toBe("body.messages.0: should be a list");
  });

  test("is plain text where the body is, and the status where there is nothing to say", () => {
    expect(read(404, "404 page not found").message).toBe("404 page not found");
    expect(read(200, '{"error":"unexpected EOF"}').message).toBe("unexpected EOF");
    expect(read(500, "").message).toBe("500 without a body");
    expect(read(500, '{"error":{"message":"cut of').message).toBe("500 with a broken JSON body");
    expect(read(500, '{"prompt":"my secret"}').message).toBe("500 with a JSON body that has no message");
  });
});

describe("what engines say", () => {
  test("vLLM without a tool parser lacks what the request needs, whatever tool_choice was sent", () => {
    const refusals = readRecordings("vllm-0.32.0/noparser-toolchoice.txt").filter(({ status }) => status === 400);
    expect(refusals).toHaveLength(4);
    for (const { body } of refusals) {
      const error = kinds.vllm.readError({ status: 400, headers: {}, body: body.toString("utf8") });
      expect(error).toMatchObject({ meaning: "model_missing", message: expect.stringContaining("requires --") });
    }
  });

  test("vLLM's 404 and 405 have a detail and no error object", () => {
    for (const [name, message] of [
      ["vllm-0.32.0/unknown_route.txt", "Not Found"],
      ["vllm-0.32.0/wrong_method.txt", "Method Not Allowed"],
    ] as const) {
      const { status = 0 } = readRecording(name);
      const error = kinds.vllm.readError({ status, headers: {}, body: bodyOf(name) });
      expect(error).toMatchObject({ status, meaning: "model_missing", message, body: undefined });
    }
  });

  test("llama.cpp's own error fields are passed on", () => {
    const error = kinds.llama_cpp.readError({
      status: 400,
      headers: {},
      body: bodyOf("llama-server-0.5.0/err_toolong.txt"),
    });
    expect(error).toMatchObject({
      meaning: "context_length",
      status: 400,
      body: { n_prompt_tokens: 5024, n_ctx: 2048 },
    });
  });

  test("Ollama's full queue is busy and gives no time to come back", () => {
    const { status = 0, headers, body } = readRecording("ollama-0.33.0/q3.txt");
    expect(kinds.ollama.readError({ status, headers, body: body.toString("utf8") })).toMatchObject({
      status: 503,
      meaning: "busy",
      message: "server busy, please try again.  maximum pending requests exceeded",
      retryAfterMs: undefined,
    });
  });

  test("OpenAI's 429 comes with a time, and an empty account is no matter of time", () => {
    const ask = (name: string) => {
      const { status = 0, headers, body } = readRecording(`openai-documented/${name}.txt`);
      return kinds.openai.readError({ status, headers, body: body.toString("utf8") });
    };
    expect(ask("err_busy")).toMatchObject({ meaning: "busy", retryAfterMs: 66_500 });
    expect(ask("err_busy_retry")).toMatchObject({ meaning: "busy", retryAfterMs: 1250 });
    expect(ask("err_quota")).toMatchObject({ meaning: "auth", status: 429, body: undefined });
  });

  test("what a caller did wrong is a 400, whatever status the server chose", () => {
    const { status = 0, body } = readRecording("llama-cpp-python-0.3.36/err_role.txt");
    expect(status).toBe(500);
    const error = kinds.openai.readError({ status, headers: {}, body: body.toString("utf8") });
    expect(error).toMatchObject({ status: 400, meaning: "caller", body: undefined });
  });
});
