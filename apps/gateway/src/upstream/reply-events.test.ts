import { type BackendKind, kinds } from "@signalbox/backends";
import { type ReplyEvent, TransportError } from "@signalbox/protocol";
import { AttemptFailure } from "@signalbox/router";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createProgress, type ReplyOptions, readBody, replyEvents, replyForm } from "./reply-events.ts";

const options: ReplyOptions = {
  backend: "gpu-1",
  kind: kinds.vllm,
  endpoint: "chat_completions",
  stream: true,
  includeUsage: false,
};

type Piece = string | Buffer | Error;

/** A response whose body is these pieces; an Error breaks it there. */
function responseOf(pieces: readonly Piece[], headers: Record<string, string> = {}, status = 200) {
  const left = [...pieces];
  return {
    status,
    headers,
    async read(): Promise<Buffer | undefined> {
      const piece = left.shift();
      if (piece instanceof Error) throw piece;
      return typeof piece === "string" ? Buffer.from(piece) : piece;
    },
  };
}

interface Seen {
  readonly out: string;
  readonly failure: AttemptFailure | TransportError | undefined;
  readonly progress: ReturnType<typeof createProgress>;
}

async function seen(
  pieces: readonly Piece[],
  more: Partial<ReplyOptions> = {},
  form: "stream" | "json" = "stream",
): Promise<Seen> {
  const all = { ...options, ...more };
  const progress = createProgress(all.endpoint);
  let out = "";
  let failure: Seen["failure"];
  try {
    for await (const batch of replyEvents(responseOf(pieces), form, all, progress)) {
      for (const { source, start, end } of batch as ReplyEvent[]) out += source.toString("utf8", start, end);
    }
  } catch (error) {
    failure = error as AttemptFailure;
  }
  return { out, failure, progress };
}

const event = (value: unknown): string => `data: ${JSON.stringify(value)}\n\n`;
const delta = (content: string, index = 0, finish_reason: string | null = null): string =>
  event({ choices: [{ index, delta: { content }, finish_reason }] });
const finish = (reason = "stop", index = 0): string =>
  event({ choices: [{ index, delta: {}, finish_reason: reason }] });
const usage = event({ choices: [], usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 } });
const DONE = "data: [DONE]\n\n";
const incomplete = { end: { how: "incomplete" }, outcome: { kind: "failed", cause: "cut" } };
const cut = new TransportError("cut", "gpu-1: the connection broke inside the reply");

describe("what leaves of a stream", () => {
  const good = delta("Hello") + delta(" wörld ✓") + finish() + DONE;

  test("a good stream leaves byte for byte", async () => {
    expect(await seen([good])).toMatchObject({ out: good, failure: undefined });
  });

  test("wherever its bytes are cut", async () => {
    const bytes = Buffer.from(good);
    for (let at = 1; at < bytes.length; at++) {
      const { out, failure } = await seen([bytes.subarray(0, at), bytes.subarray(at)]);
      expect(failure).toBeUndefined();
      expect(out).toBe(good);
    }
  });

  test("one byte at a time", async () => {
    const bytes = Buffer.from(good);
    expect((await seen(Array.from(bytes, (_, at) => bytes.subarray(at, at + 1)))).out).toBe(good);
  });

  test("usage leaves only when the client asked for it, and is kept either way", async () => {
    const stream = delta("Hi") + finish() + usage + DONE;
    const unasked = await seen([stream]);
    expect(unasked.out).toBe(delta("Hi") + finish() + DONE);
    expect(unasked.progress.ledger.usage).toMatchObject({ completionTokens: 2 });
    expect((await seen([stream], { includeUsage: true })).out).toBe(stream);
  });

  test("what cannot be read is left out and counted", async () => {
    const { out, failure, progress } = await seen([
      delta("a"),
      'data: {"choices":[{"index":0\n\n',
      delta("b"),
      finish(),
      DONE,
    ]);
    expect(out).toBe(delta("a") + delta("b") + finish() + DONE);
    expect(failure).toBeUndefined();
    expect(progress.malformed).toBe(1);
  });

  test("the beginning of an event at which a reply is cut off is not counted as one that cannot be read", async () => {
    const { out, failure, progress } = await seen([delta("a"), delta("b").slice(0, 30)]);
    expect(out).toBe(delta("a"));
    expect(failure).toBeDefined();
    expect(progress.malformed).toBe(0);
  });

  test("what follows [DONE], and a finish_reason that comes twice, are left out", async () => {
    const { out, failure } = await seen([delta("a"), finish(), finish(), DONE + delta("late") + DONE]);
    expect(failure).toBeUndefined();
    expect(out).toBe(delta("a") + finish() + DONE);
  });

  test("each choice keeps its own finish_reason", async () => {
    const stream = delta("a", 0) + delta("b", 1) + finish("stop", 1) + finish("length", 0) + DONE;
    expect((await seen([stream], { choices: 2 })).out).toBe(stream);
  });

  test("a choice may begin when the one before it is finished", async () => {
    const stream = delta("a", 0) + finish("stop", 0) + finish("stop", 1) + DONE;
    expect(await seen([stream], { choices: 2 })).toMatchObject({ out: stream, failure: undefined });
  });
});

describe("what is complete", () => {
  test.each([
    ["a clean end", []],
    ["a broken connection", [cut]],
  ])("a finish_reason and %s: [DONE] is added", async (_, end) => {
    const { out, failure } = await seen([delta("a") + finish(), ...end]);
    expect(failure).toBeUndefined();
    expect(out).toBe(delta("a") + finish() + DONE);
  });

  test("a finish_reason in the last line, without a line end: [DONE] is added", async () => {
    const { out, failure } = await seen([delta("a") + finish().trimEnd()]);
    expect(failure).toBeUndefined();
    expect(out).toBe(delta("a") + finish() + DONE);
  });

  test.each([
    ["a clean end", []],
    ["[DONE] alone", [DONE]],
    [
      "an event without text",
      [event({ model: "", choices: [{ index: 0, delta: { content: "" }, finish_reason: null }] })],
    ],
    ["half an event", [finish().slice(0, -12)]],
    ["a choice that goes on", [delta("b", 1) + finish("stop", 1) + DONE]],
    ["the end of one of its choices", [finish("stop", 0) + delta("b", 1)]],
    ["finish_reason abort", [finish("abort") + DONE]],
  ])("content and %s: not complete, and no [DONE] leaves", async (_, end) => {
    const { out, failure } = await seen([delta("a"), ...end]);
    expect(failure).toMatchObject(incomplete);
    expect(out).not.toContain("[DONE]");
    expect(out.startsWith(delta("a"))).toBe(true);
  });

  test("the end of the first of two choices is not the end of the reply, though the connection ends there", async () => {
    for (const end of [[], [cut]]) {
      const { out, failure } = await seen([delta("a", 0) + finish("stop", 0), ...end], { choices: 2 });
      expect(failure).toMatchObject(incomplete);
      expect(out).not.toContain("[DONE]");
    }
  });

  test("an engine that ignores n and says [DONE] is complete", async () => {
    const stream = delta("a") + finish() + DONE;
    expect(await seen([stream], { choices: 2 })).toMatchObject({ out: stream, failure: undefined });
  });

  test("a connection that breaks before the finish_reason is the transport's fault, and what came has left", async () => {
    const { out, failure } = await seen([delta("a") + delta("b"), cut]);
    expect(failure).toBe(cut);
    expect(out).toBe(delta("a") + delta("b"));
  });

  test("an error event breaks the reply, is read by its kind, and does not leave as it came", async () => {
    const { out, failure } = await seen([
      delta("a") + event({ error: { message: "EngineCore died", code: 500 } }) + DONE,
    ]);
    expect(failure).toMatchObject({ end: { how: "refused" }, outcome: { kind: "failed", cause: "server_error" } });
    expect(out).toBe(delta("a"));
    const busy = await seen([event({ error: { message: "busy", type: "Service Unavailable", code: 503 } }) + DONE]);
    expect(busy.failure).toMatchObject({ outcome: { kind: "backpressure", status: 503 } });
  });

  test("where a kind is known to leave finish_reason out, [DONE] stands for it, and nothing else does", async () => {
    const kind: BackendKind = { ...kinds.openai, omitsFinishReason: true };
    const done = await seen([delta("a") + DONE], { kind });
    expect(done.failure).toBeUndefined();
    expect(done.out).toBe(
      delta("a") +
        event({ object: "chat.completion.chunk", choices: [{ index: 0, delta: {}, finish_reason: "stop" }] }) +
        DONE,
    );
    expect((await seen([delta("a")], { kind })).failure).toMatchObject(incomplete);
    expect((await seen([delta("a"), cut], { kind })).failure).toBe(cut);
    expect((await seen([DONE], { kind })).failure).toMatchObject(incomplete);
  });

  test("a prefix of a stream is never taken for the whole, wherever it ends and whatever its pieces", async () => {
    const bytes = Buffer.from(delta("Hello") + delta(" wörld") + finish() + usage + DONE);
    const needed = Buffer.byteLength(delta("Hello") + delta(" wörld") + finish()) - 2;
    await fc.assert(
      fc.asyncProperty(
        fc.nat(bytes.length),
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }),
        fc.boolean(),
        async (at, sizes, broken) => {
          const pieces: Piece[] = [];
          for (let from = 0, i = 0; from < at; i++) {
            const to = Math.min(at, from + sizes[i % sizes.length]!);
            pieces.push(bytes.subarray(from, to));
            from = to;
          }
          if (broken) pieces.push(cut);
          const { out, failure } = await seen(pieces);
          // A broken connection does not say that its last line was whole.
          const complete = at >= needed + (broken ? 2 : 0);
          expect(failure === undefined).toBe(complete);
          expect(out.includes("[DONE]")).toBe(complete);
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe("a reply that is one body", () => {
  const body = {
    id: "x",
    choices: [{ index: 0, message: { role: "assistant", content: "Hi" }, finish_reason: "stop" }],
    usage: { prompt_tokens: 1, completion_tokens: 1 },
  };

  test("leaves byte for byte", async () => {
    const text = `${JSON.stringify(body)}\n`;
    expect(await seen([text.slice(0, 7), text.slice(7)], { stream: false }, "json")).toMatchObject({
      out: text,
      failure: undefined,
    });
  });

  test("is told as a stream to a client that asked for one", async () => {
    const { out, failure } = await seen([JSON.stringify(body)], {}, "json");
    expect(failure).toBeUndefined();
    expect(out).toContain('"delta":{"role":"assistant","content":"Hi"}');
    expect(out).toContain('"finish_reason":"stop"');
    expect(out.endsWith(DONE)).toBe(true);
  });

  test.each([
    ["no byte", "", "malformed"],
    ["half of itself", JSON.stringify(body).slice(0, 60), "malformed"],
    ["choices: []", JSON.stringify({ choices: [] }), "malformed"],
    ["no finish_reason", JSON.stringify({ choices: [{ index: 0, message: { content: "Hi" } }] }), "malformed"],
    [
      "finish_reason abort",
      JSON.stringify({ choices: [{ index: 0, message: { content: "Hi" }, finish_reason: "abort" }] }),
      "cut",
    ],
    ["an error object", JSON.stringify({ error: { message: "no", type: "server_error" } }), "server_error"],
  ])("is no reply with %s", async (_, text, cause) => {
    for (const stream of [true, false]) {
      const { out, failure } = await seen([text], { stream }, "json");
      expect(out).toBe("");
      expect(failure).toMatchObject({ outcome: { kind: "failed", cause } });
    }
  });
});

describe("what is a reply by its head", () => {
  const form = (status: number, headers: Record<string, string>, stream = true) =>
    replyForm(responseOf([], headers, status), { ...options, stream });

  test("an event stream, or JSON", () => {
    expect(form(200, { "content-type": "text/event-stream; charset=utf-8" })).toBe("stream");
    expect(form(200, { "content-type": "application/json" })).toBe("json");
    expect(form(200, { "content-type": "application/json", "content-encoding": "identity" }, false)).toBe("json");
  });

  test.each([
    ["a page", 200, { "content-type": "text/html" }, true],
    ["no type", 200, {}, true],
    ["an event stream that nobody asked for", 200, { "content-type": "text/event-stream" }, false],
    ["a compressed body", 200, { "content-type": "application/json", "content-encoding": "gzip" }, false],
    ["no content", 204, {}, false],
    ["a redirect", 302, { "content-type": "application/json" }, false],
  ])("not %s", (_, status, headers, stream) => {
    expect(() => form(status, headers as Record<string, string>, stream)).toThrow(AttemptFailure);
  });
});

test("a body is read up to its limit and no further", async () => {
  const response = responseOf(["12345", "67890", "x"]);
  expect(await readBody(response, 8)).toBeUndefined();
  expect((await response.read())?.toString()).toBe("x");
  expect((await readBody(responseOf(["123", "45"]), 8))?.toString()).toBe("12345");
});
