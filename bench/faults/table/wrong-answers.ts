import { chunkOf, JSON_HEAD, LAST_CHUNK } from "../../../packages/simulator/src/index.ts";
import { busy, failed, fallbackAnswers, refused } from "../expectations.ts";
import type { PoolShape } from "../pool.ts";
import type { Scenario } from "../scenario.ts";
import { playBombs, playEndlessError } from "./large-answers.ts";

const tooLong = {
  message: "This model's maximum context length is 4096 tokens",
  type: "invalid_request_error",
  param: "messages",
  code: "context_length_exceeded",
};
const filtered = {
  message: "refused by the filter",
  type: "invalid_request_error",
  param: null,
  code: "content_filter",
};

const alone = { fallback: false } as const;
const HTML = /<html|DOCTYPE|Bad Gateway/i;

/** An answer that is right but for its frame. */
const answer = JSON.stringify({
  id: "c",
  choices: [{ index: 0, message: { role: "assistant", content: "Hello" }, finish_reason: "stop" }],
});
const good = `content-length: ${answer.length}\r\n\r\n${answer}`;
const noHttp: readonly (readonly [what: string, wire: string])[] = [
  ["two lengths that differ", `${JSON_HEAD}content-length: 3\r\n${good}`],
  ["a length that is no number", `${JSON_HEAD}content-length: 0x10\r\n\r\n${answer}`],
  ["a length beside chunks", `${JSON_HEAD}transfer-encoding: chunked\r\n${good}`],
  ["a chunk size that is no number", `${JSON_HEAD}transfer-encoding: chunked\r\n\r\nzz\r\n${answer}\r\n${LAST_CHUNK}`],
  ["a chunk longer than it says", `${JSON_HEAD}transfer-encoding: chunked\r\n\r\n3\r\n${answer}\r\n${LAST_CHUNK}`],
  ["a status of two digits", `HTTP/1.1 20 OK\r\n${good}`],
  ["another protocol", `ICY 200 OK\r\n${good}`],
  ["a header without a colon", `${JSON_HEAD}nonsense\r\n${good}`],
  ["an upgrade", "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"],
  [
    "an encoding that nobody asked for",
    `${JSON_HEAD}transfer-encoding: gzip, chunked\r\n\r\n${chunkOf(answer)}${LAST_CHUNK}`,
  ],
];

/** F12 to F22: the backend's answer is none, before anything was sent to the client. */
export const wrongAnswers: readonly Scenario[] = [
  {
    id: "F12",
    title: "an error event before content -> as its code says, fallback",
    cases: [
      {
        what: "503",
        fault: { kind: "error_event", code: 503 },
        modes: ["stream"],
        expect: fallbackAnswers(busy),
      },
      {
        what: "500",
        fault: { kind: "error_event", code: 500 },
        modes: ["stream"],
        expect: fallbackAnswers(failed("server_error"), { tries: 2 }),
      },
    ],
  },
  {
    id: "F13",
    title: "an error as JSON under 200 -> as its code or type says",
    cases: [
      { what: "503", fault: { kind: "error_under_200", code: 503 }, expect: fallbackAnswers(busy) },
      {
        what: "server_error",
        fault: { kind: "error_under_200", code: "server_error" },
        expect: fallbackAnswers(failed("server_error"), { tries: 2 }),
      },
    ],
  },
  {
    id: "F14",
    title: "a page of HTML -> fallback, or 502; the page is never shown",
    cases: [
      {
        what: "502",
        fault: { kind: "html", status: 502 },
        expect: fallbackAnswers(failed("server_error"), { tries: 2 }),
      },
      {
        what: "200",
        fault: { kind: "html", status: 200 },
        expect: fallbackAnswers(failed("malformed")),
      },
      {
        what: "text/plain",
        fault: { kind: "wrong_content_type" },
        expect: fallbackAnswers(failed("malformed")),
      },
      {
        what: "502, nobody else",
        fault: { kind: "html", status: 502 },
        pool: alone,
        expect: refused({ status: 502, code: "upstream_failed", hides: HTML }, failed("server_error"), 2),
      },
      {
        what: "200, nobody else",
        fault: { kind: "html", status: 200 },
        pool: alone,
        expect: refused({ status: 502, code: "upstream_failed", hides: HTML }, failed("malformed")),
      },
    ],
  },
  {
    id: "F15",
    title:
      "too long for the model -> one with a larger context, else the engine's 400 as it came; the same never again",
    cases: [
      {
        what: "a larger one",
        fault: { kind: "status", status: 400, body: { error: tooLong } },
        pool: { settings: { large: { context: 4096 }, small: { context: 128_000 } } },
        expect: fallbackAnswers({ outcome: "caller_error", cause: "" }),
      },
      {
        what: "none larger",
        fault: { kind: "status", status: 400, body: { error: tooLong } },
        pool: { settings: { large: { context: 4096 }, small: { context: 4096 } } },
        expect: refused(
          { status: 400, code: "context_length_exceeded", json: { error: tooLong } },
          { outcome: "caller_error", cause: "" },
        ),
      },
    ],
  },
  {
    id: "F16",
    title: "a refusal for content -> passed on, tried nowhere else, no evidence against the engine",
    cases: [
      {
        fault: { kind: "status", status: 400, body: { error: filtered } },
        times: 6,
        expect: refused(
          { status: 400, code: "content_filter", counted: "rejected_by_backend", json: { error: filtered } },
          { outcome: "caller_error", cause: "" },
        ),
      },
    ],
  },
  {
    id: "F17",
    title: "half a JSON body -> fallback, never a part",
    cases: [
      {
        what: "of true length",
        fault: { kind: "not_json" },
        modes: ["whole"],
        expect: fallbackAnswers(failed("malformed")),
      },
      {
        what: "less than announced",
        fault: { kind: "truncated_json" },
        modes: ["whole"],
        expect: fallbackAnswers(failed("cut")),
      },
      {
        what: "reset",
        fault: { kind: "reset_midway" },
        modes: ["whole"],
        expect: fallbackAnswers(failed("cut")),
      },
      {
        what: "of no length, cut",
        fault: { kind: "close_delimited_cut" },
        modes: ["whole"],
        expect: fallbackAnswers(failed("malformed")),
      },
    ],
  },
  {
    id: "F18",
    title: "an answer of nothing -> a failure, fallback",
    cases: [
      { what: "204", fault: { kind: "no_content" }, expect: fallbackAnswers(failed("malformed")) },
      {
        what: "no bytes",
        fault: { kind: "empty" },
        modes: ["stream"],
        expect: fallbackAnswers(failed("cut")),
      },
      {
        what: "no bytes",
        fault: { kind: "empty" },
        modes: ["whole"],
        expect: fallbackAnswers(failed("malformed")),
      },
      {
        what: "choices: []",
        fault: { kind: "no_choices" },
        modes: ["stream"],
        expect: fallbackAnswers(failed("cut")),
      },
      {
        what: "choices: []",
        fault: { kind: "no_choices" },
        modes: ["whole"],
        expect: fallbackAnswers(failed("malformed")),
      },
      {
        what: "stop alone",
        fault: { kind: "no_words" },
        expect: fallbackAnswers(failed("malformed")),
      },
    ],
  },
  {
    id: "F19",
    title: "a compressed body that nobody asked for -> fallback; a bomb costs no memory",
    cases: [
      {
        what: "gzip",
        fault: { kind: "gzip" },
        modes: ["whole"],
        expect: fallbackAnswers(failed("malformed")),
      },
      {
        what: "a bomb",
        fault: { kind: "gzip_bomb" },
        modes: ["whole"],
        expect: fallbackAnswers(failed("malformed")),
      },
      {
        what: "br",
        pool: {
          raw: ({ socket }) => void socket.end(`${JSON_HEAD}content-encoding: br\r\ncontent-length: 3\r\n\r\nabc`),
        },
        expect: fallbackAnswers(failed("malformed")),
      },
    ],
    play: playBombs,
  },
  {
    id: "F20",
    title: "an endless error body -> little of it is read, and the event loop stays free",
    alone: true,
    cases: [
      {
        fault: ({ pick }) => ({ kind: "big_error", status: 500, bytes: pick(11_400_000, 114_000_000) }),
        expect: fallbackAnswers(failed("server_error"), { tries: 2 }),
      },
    ],
    play: playEndlessError,
  },
  {
    id: "F21",
    title: "a redirect -> not followed: fallback, or 502",
    cases: [
      {
        what: "302",
        // Whoever follows it is seen at the fallback.
        fault: (_, { fallback }) => ({
          kind: "redirect",
          status: 302,
          location: `${fallback.url}/v1/chat/completions`,
        }),
        expect: fallbackAnswers(failed("malformed")),
      },
      {
        what: "307",
        fault: (_, { fallback }) => ({
          kind: "redirect",
          status: 307,
          location: `${fallback.url}/v1/chat/completions`,
        }),
        expect: fallbackAnswers(failed("malformed")),
      },
      {
        what: "307, nobody else",
        pool: alone,
        fault: (_, { fallback }) => ({
          kind: "redirect",
          status: 307,
          location: `${fallback.url}/v1/chat/completions`,
        }),
        expect: refused({ status: 502, code: "upstream_failed" }, failed("malformed")),
      },
    ],
  },
  {
    id: "F22",
    title: "64 KB of headers, and what is not HTTP -> 502, the connection is closed, the process lives",
    cases: [
      {
        what: "headers",
        fault: { kind: "big_headers" },
        expect: fallbackAnswers(failed("malformed")),
      },
      {
        what: "a status line that is none",
        fault: { kind: "bad_status_line" },
        pool: alone,
        expect: refused({ status: 502, code: "upstream_failed" }, failed("malformed")),
      },
      ...noHttp.map(([what, wire]) => ({
        what,
        modes: ["whole"] as const,
        pool: { fallback: false, raw: ({ socket }) => void socket.write(wire, "latin1") } as PoolShape,
        expect: refused({ status: 502, code: "upstream_failed" }, failed("malformed")),
      })),
    ],
  },
];
