import { endpoints, TransportError, type UpstreamError } from "@signalbox/protocol";
import { describe, expect, test } from "vitest";
import { isErrorPayload } from "./error-body.ts";
import type { BackendKind, Get, GetResponse, RequestView } from "./kind.ts";
import { type ErrorAnswer, type KindCase, kindCases } from "./kind-cases.ts";
import { type BackendKindName, backendKindNames, kinds } from "./kinds.ts";
import { recogniseKind } from "./recognise-kind.ts";
import { readRecording, replay } from "./recording.ts";

/** Counts and lists what is asked. */
function watched(get: Get): { get: Get; asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    get: (path) => {
      asked.push(path);
      return get(path);
    },
  };
}

const answering = (status: number, text: string, headers: GetResponse["headers"] = {}): Get => {
  return async () => ({ status, text, headers });
};
const failing = (error: Error): Get => {
  return async () => {
    throw error;
  };
};

const html = "<!DOCTYPE html><html><head><title>502</title></head><body>secret-host down</body></html>";

const outages: Record<string, Get> = {
  "a refused connection": failing(new TransportError("connect", "127.0.0.1:1: connect ECONNREFUSED")),
  "a timeout": failing(new Error("no answer within 2000 ms")),
  "a reset": failing(new TransportError("reset", "connection reset")),
  "500 everywhere": answering(500, "Internal Server Error"),
  "502 with a page": answering(502, html, { "content-type": "text/html" }),
  "a page under 200": answering(200, html, { "content-type": "text/html" }),
  "401 everywhere": answering(401, '{"error":"Unauthorized"}'),
  "403 everywhere": answering(403, ""),
  "a redirect": answering(302, "", { location: "http://127.0.0.1:1/" }),
};

const garbage: Record<string, string> = {
  nothing: "",
  "no JSON": "\u0000\u0001 ok?",
  null: "null",
  "a number": "7",
  "an empty list": "[]",
  "a list of anything": '[null,1,"x",{"num_reqs":"many","is_processing":"yes"},[[]]]',
  "an empty object": "{}",
  "data that is no list": '{"data":{},"models":{},"loads":{},"version":{},"endpoints":"x"}',
  "rows that are none":
    '{"object":"list","data":[null,1,"x",{"id":5},{"id":""},[]],"models":[null,{"name":3}],"version":"1"}',
  "odd names":
    '{"__proto__":{"x":1},"constructor":1,"data":[{"id":"__proto__","owned_by":"constructor"}],"version":"1"}',
  "numbers that are none":
    '{"server_load":-1,"loads":[{"num_running_reqs":-5,"token_usage":"NaN"}],"total_slots":"two"}',
  "a very deep list": "[".repeat(100_000),
  "a very long line": "a".repeat(1_048_576),
  "broken metrics": 'vllm:num_requests_running{a="\nvllm:num_requests_waiting{} x\n{}{}{}\nsglang:token_usage{="1"} 1',
};

function readAnswer(answer: ErrorAnswer): { status: number; headers: Record<string, string>; body: string } {
  if (typeof answer !== "string") return { headers: {}, ...answer };
  const { status = 0, headers, body } = readRecording(answer);
  const event = /^data: (.*)$/m.exec(body.toString("utf8"))?.[1];
  return { status, headers, body: event ?? body.toString("utf8") };
}

const meanings = ["busy", "loading", "context_length", "model_missing", "auth", "caller", "server"] as const;

describe.each(backendKindNames)("%s", (name: BackendKindName) => {
  const kind: BackendKind = kinds[name];
  const known = kindCases[name];
  const [engine] = known.engines;

  const skipReason = (what: string) => known.skip.find(({ tests }) => tests.includes(what))?.reason;
  const testOr = (what: string, title: string, run: () => Promise<void> | void) => {
    const reason = skipReason(what);
    if (reason === undefined) test(title, run);
    else test.skip(`${title} (${reason})`, run);
  };

  test("offers chat, and each of its paths begins with a slash", () => {
    expect(kind.paths.chat_completions).toBeDefined();
    for (const path of Object.values(kind.paths)) expect(path).toMatch(/^\/v1\/[a-z/]+$/);
  });

  test("is ready by its recording, with its models, load and version", async () => {
    expect(await kind.probe(replay(engine))).toEqual({ status: "ready", ...known.finds });
  });

  test("asks at most 4 things, all of them GET and without a model's work", async () => {
    for (const answer of [
      replay(engine),
      ...Object.values(outages),
      ...Object.values(garbage).map((text) => answering(200, text)),
    ]) {
      const { get, asked } = watched(answer);
      await kind.probe(get);
      expect(asked.length).toBeGreaterThan(0);
      expect(asked.length).toBeLessThanOrEqual(4);
      for (const path of asked) expect(path).toMatch(/^\/(?!.*(?:completions|embeddings|generate|\/load\/))/);
    }
  });

  test.each(Object.entries(outages))("is down, with a reason, at %s", async (_what, get) => {
    // No "<": a reason never quotes a page.
    expect(await kind.probe(get)).toMatchObject({ status: "down", reason: expect.stringMatching(/^[^<]{5,500}$/) });
  });

  test.each(Object.entries(garbage))("survives %s on every path", async (_what, text) => {
    for (const status of [200, 404, 503]) {
      const found = await kind.probe(answering(status, text));
      expect(["ready", "loading", "down"]).toContain(found.status);
      if (found.status === "ready") for (const model of found.models ?? []) expect(model.id).not.toBe("");
      await expect(kind.recognise(answering(status, text))).resolves.toBeTypeOf("boolean");
    }
  });

  test("stays ready when anything but its first answer fails", async () => {
    const { get, asked } = watched(replay(engine));
    await kind.probe(get);
    for (const broken of asked.slice(1)) {
      for (const bad of [answering(500, html), failing(new TransportError("cut", "cut")), answering(200, "?")]) {
        const found = await kind.probe((path) => (path === broken ? bad(path) : replay(engine)(path)));
        expect(found.status, broken).toBe("ready");
      }
    }
  });

  testOr("guarded listing", "is down with a wrong key, also where only the listing is guarded", async () => {
    const guarded: Get = async (path) =>
      path === "/v1/models" ? { status: 401, headers: {}, text: "" } : replay(engine)(path);
    const found = await kind.probe(guarded);
    expect(found).toMatchObject({ status: "down", reason: expect.stringContaining("401 on /v1/models") });
  });

  testOr("loading", "tells loading from down", async () => {
    const { status, text } = known.loading ?? { status: 0, text: "" };
    expect(await kind.probe(answering(status, text))).toMatchObject({ status: "loading", reason: expect.any(String) });
  });

  for (const meaning of meanings) {
    testOr(meaning, `reads errors that mean ${meaning}`, () => {
      const answers = known.errors[meaning] ?? [];
      expect(answers.length).toBeGreaterThan(0);
      for (const answer of answers) {
        const given = readAnswer(answer);
        const read: UpstreamError = kind.readError(given);
        expect(read.meaning, JSON.stringify(answer)).toBe(meaning);
        expect(read.status, JSON.stringify(answer)).toBeGreaterThanOrEqual(400);
        expect(read.message).toMatch(/^[^<]{3,500}$/);
        if (given.status < 400) expect(isErrorPayload(JSON.parse(given.body)), given.body).toBe(true);
      }
    });
  }

  test("passes a caller's error on as the backend said it", () => {
    const said = {
      message: "temperature must be non-negative",
      type: "BadRequestError",
      param: "temperature",
      code: 400,
    };
    const read = kind.readError({ status: 400, headers: {}, body: JSON.stringify({ error: said }) });
    expect(read).toMatchObject({ status: 400, meaning: "caller", message: said.message, body: said });
  });

  test("never shows HTML, control characters or our own key", () => {
    expect(kind.readError({ status: 502, headers: {}, body: html }).message).toBe("502 with an HTML body");
    const nested = kind.readError({ status: 500, headers: {}, body: JSON.stringify({ error: { message: html } }) });
    expect(nested.message).toBe("500 with an HTML body");
    const escaped = kind.readError({ status: 400, headers: {}, body: '{"error":{"message":"a\\u001b[31mb\\r\\nc"}}' });
    expect(escaped.message).toBe("a [31mb c");
    const key = kind.readError({ status: 401, headers: {}, body: '{"error":{"message":"bad key sk-canary1234"}}' });
    expect(JSON.stringify(key)).not.toContain("canary");
    expect(key.body).toBeUndefined();
  });

  test("reads an error from any bytes", () => {
    for (const body of [
      ...Object.values(garbage),
      html,
      '{"error":{"message":{}}}',
      '{"error":',
      '{"detail":[{}]}',
      '{"error":[]}',
    ]) {
      for (const status of [200, 400, 404, 429, 500, 503]) {
        const read = kind.readError({ status, headers: {}, body });
        expect(read.message).toMatch(/^[^<]{1,500}$/);
        expect(read.status).toBeGreaterThanOrEqual(400);
      }
    }
  });

  test("tells when to come back", () => {
    const read = kind.readError({ status: 503, headers: { "retry-after": "7" }, body: "" });
    expect(read).toMatchObject({ meaning: "busy", retryAfterMs: 7000 });
    expect(kind.readError({ status: 503, headers: {}, body: "" }).retryAfterMs).toBeUndefined();
  });

  test("leaves an ordinary request as it is", () => {
    const plain: Record<string, unknown> = {
      model: "m",
      messages: [{ role: "user", content: "hi" }],
      stream: true,
      stream_options: { include_usage: true },
      temperature: 0.5,
      max_tokens: 16,
      tools: [{ type: "function", function: { name: "f" } }],
      tool_choice: "auto",
      response_format: { type: "json_object" },
    };
    for (const endpoint of endpoints) {
      expect(kind.editRequest?.({ endpoint, body: plain }) ?? {}).toEqual({});
      expect(kind.editRequest?.({ endpoint, body: { model: "m" } }) ?? {}).toEqual({});
    }
  });

  const checkEdits = (edit: BackendKind["editRequest"]) => {
    return ({ endpoint = "chat_completions", body, edits }: KindCase["edits"][number]) => {
      const request: RequestView = { endpoint, body };
      const before = structuredClone(body);
      const made = edit?.(request) ?? {};
      expect(made).toStrictEqual(edits);
      expect(body).toEqual(before);
      for (const value of Object.values(made)) if (typeof value === "string") JSON.parse(value);
    };
  };

  if (known.edits.length > 0) {
    test.each(known.edits)("edits a request only where a caller would: $why", checkEdits(kind.editRequest));
  }

  test("has cases for its raw mode, if it has one", () => {
    expect(known.rawEdits !== undefined).toBe(kind.editRawRequest !== undefined);
  });

  if (known.rawEdits !== undefined) {
    test.each(known.rawEdits)("asks for the raw text where it has to: $why", checkEdits(kind.editRawRequest));
    test("leaves a request without tools as it is in raw mode", () => {
      for (const endpoint of endpoints) expect(kind.editRawRequest?.({ endpoint, body: { model: "m" } })).toEqual({});
    });
  }

  test.each(known.engines)("recognises %s, and no other kind but the last does", async (folder) => {
    const claims: string[] = [];
    for (const other of backendKindNames) {
      const { get, asked } = watched(replay(folder));
      if (await kinds[other].recognise(get)) claims.push(other);
      expect(asked.length).toBeLessThanOrEqual(2);
    }
    expect(claims.filter((claim) => claim !== "openai")).toEqual(name === "openai" ? [] : [name]);
    expect(await recogniseKind(replay(folder))).toBe(name);
  });

  test("recognises nothing where nothing answers, or something else does", async () => {
    for (const get of Object.values(outages)) expect(await kind.recognise(get)).toBe(false);
  });

  test("ignores load headers that it cannot read", () => {
    for (const value of [
      "",
      "JSON",
      "JSON {",
      "TEXT",
      "TEXT =",
      "TEXT a=b=c",
      "x".repeat(100_000),
      'JSON {"named_metrics":[]}',
    ]) {
      expect(kind.loadFromHeaders?.({ "endpoint-load-metrics": value })).toBeUndefined();
    }
  });
});

test("every gap names a test that exists", () => {
  const names: readonly string[] = [...meanings, "guarded listing"];
  for (const { skip } of Object.values(kindCases)) {
    for (const { reason, tests } of skip) {
      expect(reason).not.toBe("");
      for (const gap of tests) expect(names).toContain(gap);
    }
  }
});
