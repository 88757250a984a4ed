import { chunkOf, type FaultInput, STREAM_HEAD } from "../../../packages/simulator/src/index.ts";
import { breaksOff, failed, fallbackAnswers, goesOn, primaryAnswers, refused } from "../expectations.ts";
import type { PoolShape, TableFault } from "../pool.ts";
import type { Case, Scenario } from "../scenario.ts";
import { chatEvent } from "../wire-events.ts";
import { playFlap } from "./flap.ts";
import { playFlood } from "./flood.ts";
import { playLongLine } from "./large-answers.ts";
import { playEverySplit, playInvalidBytes, playSingleBytes } from "./odd-bytes.ts";
import { playThreeBreaks } from "./three-breaks.ts";

const stream = ["stream"] as const;

/** Slow enough that what was sent before a reset has been read. */
const paced: PoolShape = { primary: { tokensPerSecond: 200 } };

const canGoOn = { continue_final_message: true };
/** Two replicas that can go on from a begun answer. */
const replicas: PoolShape = { replicas: true, settings: { primary: canGoOn, fallback: canGoOn } };
/** Two replicas that may be asked for the whole answer again. */
const again: PoolShape = { replicas: true, settings: { large: { restart_broken_streams: true } } };
const PREFILL = "Cannot set `continue_final_message`";
const noPrefill: FaultInput = {
  kind: "status",
  status: 400,
  times: 1,
  body: { error: { message: PREFILL, type: "BadRequestError", param: null, code: 400 } },
};

const call = { name: "weather", arguments: { city: "Paris", days: [1, 2, 3, 4, 5, 6, 7, 8, 9] } };
const tools = [{ type: "function", function: { name: "weather", parameters: { type: "object" } } }];
const says = "Let me see.\n";

/** Where a replica may be asked, the client sees nothing of the break. */
const bothWays = (fault: TableFault, cause: string, more: PoolShape = {}, after = 0): Case[] => [
  {
    what: "a replica goes on",
    fault,
    modes: stream,
    pool: { ...more, ...replicas },
    expect: goesOn(cause, "continuation", { after }),
  },
  {
    what: "a replica begins anew",
    fault,
    modes: stream,
    pool: { ...more, ...again },
    expect: goesOn(cause, "restart", { after }),
  },
];

/** Everything arrives, so the client gets everything: whatever the wire looked like. */
const harmless = (what: string, fault: TableFault): Case => ({
  what,
  fault,
  modes: stream,
  body: { stream_options: { include_usage: true } },
  expect: primaryAnswers(),
});

const continuationRefused = [
  "stream_recoveries_total",
  { model: "large", how: "continuation", outcome: "refused" },
  1,
] as const;
const restartedAfterRefusal = {
  ...goesOn("cut", "restart"),
  engines: { primary: 1, fallback: 2 },
  metrics: [...goesOn("cut", "restart").metrics, continuationRefused],
};
const told = breaksOff("cut", { hides: /continue_final_message/, more: [continuationRefused] });
const anotherText = ["stream_recoveries_total", { model: "large", how: "restart", outcome: "mismatched" }, 1] as const;
const toldAfterAnotherText = {
  ...breaksOff("cut", { more: [anotherText] }),
  engines: { primary: 1, fallback: 1 },
};
const toldAfterRefusal = { ...told, engines: { primary: 1, fallback: 1 } };

/** F23 to F39: what happens to a stream after its first content has left for the client. */
export const brokenStreams: readonly Scenario[] = [
  {
    id: "F23",
    title:
      "the end of the connection mid-stream, politely or not -> a replica goes on, else an error event, no [DONE]; a failure",
    cases: [
      ...bothWays({ kind: "cut" }, "cut"),
      { what: "a FIN", fault: { kind: "cut" }, modes: stream, expect: breaksOff("cut") },
      { what: "a clean end", fault: { kind: "clean_cut" }, modes: stream, expect: breaksOff("cut") },
      {
        what: "a FIN before the first token",
        fault: { kind: "cut", after_tokens: 0 },
        modes: stream,
        expect: fallbackAnswers(failed("cut")),
      },
      {
        what: "a clean end before the first token",
        fault: { kind: "clean_cut", after_tokens: 0 },
        modes: stream,
        expect: fallbackAnswers(failed("cut")),
      },
      {
        what: "[DONE] without a finish_reason",
        fault: { kind: "no_finish" },
        modes: stream,
        expect: breaksOff("cut"),
      },
      { what: "a bare error line", fault: { kind: "bare_error" }, modes: stream, expect: breaksOff("server_error") },
      { what: "finish_reason abort", fault: { kind: "abort_finish" }, modes: stream, expect: breaksOff("cut") },
      {
        what: "vLLM's engine dies",
        fault: { kind: "vllm_engine_died" },
        modes: stream,
        expect: breaksOff("server_error"),
      },
      { what: "vLLM is stopped", fault: { kind: "vllm_stopped" }, modes: stream, expect: breaksOff("cut") },
      {
        what: "Ollama's runner is killed",
        pool: { kind: "ollama" },
        fault: { kind: "ollama_runner_killed" },
        modes: stream,
        expect: breaksOff("cut"),
      },
      {
        what: "llama-server is stopped",
        pool: { kind: "llama_cpp" },
        fault: { kind: "llama_stopped" },
        modes: stream,
        expect: breaksOff("cut"),
      },
      {
        what: "llama-cpp-python is interrupted",
        pool: { kind: "llama_cpp" },
        fault: { kind: "interrupted" },
        modes: stream,
        expect: breaksOff("cut"),
      },
    ],
    play: playThreeBreaks,
  },
  {
    id: "F24",
    title: "a reset mid-stream -> a replica goes on, else an error event, no [DONE]; a failure",
    cases: [
      {
        what: "nobody to go on",
        fault: { kind: "reset_midway" },
        pool: paced,
        modes: stream,
        expect: breaksOff("cut"),
      },
      ...bothWays({ kind: "reset_midway" }, "cut", paced),
    ],
  },
  {
    id: "F25",
    title: "a stall -> told at the idle limit, give or take 0.1 s; probes go on and the backend is not down",
    alone: true,
    cases: [
      ...bothWays({ kind: "stall" }, "stall", {}, 15_000),
      {
        what: "nobody to go on",
        fault: { kind: "stall" },
        pool: { settings: { primary: { probe: { interval: "100ms", timeout: "2s" } } } },
        modes: stream,
        expect: breaksOff("stall", {
          after: 15_000,
          within: 100,
          more: [["backend_up", { backend: "primary" }, 0]],
        }),
      },
    ],
  },
  {
    id: "F26",
    title: "one event that is not JSON -> left out and counted, the answer is whole",
    cases: [
      {
        fault: { kind: "malformed_event" },
        modes: stream,
        expect: primaryAnswers({ more: [["malformed_events_total", { backend: "primary" }, 1]] }),
      },
    ],
  },
  {
    id: "F27",
    title: "no [DONE] behind the finish_reason -> whole within a second, [DONE] is ours, usage is kept",
    cases: [
      harmless("a clean end", { kind: "no_done" }),
      {
        what: "silence",
        pool: {
          raw: ({ socket }, words) =>
            void socket.write(STREAM_HEAD + chunkOf(chatEvent(words, null, "assistant") + chatEvent("", "stop"))),
        },
        modes: stream,
        expect: primaryAnswers({ within: 1200, tokens: 1 }),
      },
    ],
  },
  {
    id: "F28",
    title:
      "a body that only the connection's end delimits, cut -> a replica goes on, else an error event: there is no finish_reason",
    cases: [
      { what: "nobody to go on", fault: { kind: "close_delimited_cut" }, modes: stream, expect: breaksOff("cut") },
      ...bothWays({ kind: "close_delimited_cut" }, "cut"),
    ],
  },
  {
    id: "F29",
    title: "the replica refuses to go on, or says something else -> a clean restart or the error; its 400 never shows",
    cases: [
      {
        what: "restarts allowed",
        fault: { kind: "cut" },
        fallbackFault: noPrefill,
        pool: { replicas: true, settings: { ...replicas.settings, ...again.settings } },
        modes: stream,
        expect: restartedAfterRefusal,
      },
      {
        what: "another text",
        fault: { kind: "cut" },
        pool: { ...again, fallback: { script: [{ reply: { text: "something else" } }] } },
        modes: stream,
        expect: toldAfterAnotherText,
      },
      {
        what: "no restarts",
        fault: { kind: "cut", times: 1 },
        fallbackFault: { ...noPrefill, times: 9 },
        pool: { replicas: true, settings: { primary: {}, fallback: canGoOn } },
        modes: stream,
        expect: toldAfterRefusal,
      },
    ],
  },
  {
    id: "F30",
    title: "a line of 32 MB -> given up at 1 MB, for little CPU and memory",
    cases: [
      { what: "behind content", fault: { kind: "long_line" }, modes: stream, expect: breaksOff("malformed") },
      {
        what: "before content",
        fault: { kind: "long_line", after_tokens: 0 },
        modes: stream,
        expect: fallbackAnswers(failed("malformed")),
      },
    ],
    play: playLongLine,
  },
  {
    id: "F31",
    title: "bytes split anywhere, inside characters and line ends -> the same bytes",
    cases: [harmless("seven at a time", { kind: "split_bytes", size: 7 })],
    play: playEverySplit,
  },
  { id: "F32", title: "bytes that are not UTF-8 -> U+FFFD, no crash", play: playInvalidBytes },
  {
    id: "F33",
    title: "one byte a chunk -> the same answer for at most twice the CPU of as many events",
    alone: true,
    cases: [harmless("one at a time", { kind: "split_bytes", size: 1 })],
    play: playSingleBytes,
  },
  {
    id: "F34",
    title: "every way to write events that SSE knows -> the same answer",
    cases: ["crlf", "cr", "multi_line", "comments", "event_lines", "no_space", "bom"].map((style) =>
      harmless(style, { kind: "sse_style", style }),
    ),
  },
  {
    id: "F35",
    title: "chunks behind [DONE], every finish_reason twice -> ignored",
    cases: [harmless("behind [DONE]", { kind: "after_done" }), harmless("finish_reason", { kind: "duplicate_finish" })],
  },
  {
    id: "F36",
    title: "a cut inside a tool call's arguments -> never a call, never the finish_reason tool_calls",
    cases: [
      {
        what: "nothing sent",
        pool: { primary: { script: [{ reply: { tool_calls: [call] } }] } },
        fault: { kind: "cut", after_tokens: 2 },
        modes: stream,
        body: { tools },
        expect: fallbackAnswers(failed("cut")),
      },
      {
        what: "nothing sent, nobody else",
        pool: { fallback: false, primary: { script: [{ reply: { tool_calls: [call] } }] } },
        fault: { kind: "cut", after_tokens: 2 },
        modes: stream,
        body: { tools },
        expect: refused({ status: 502, code: "upstream_failed" }, failed("cut")),
      },
      {
        what: "behind text",
        pool: { primary: { script: [{ reply: { deltas: [says], tool_calls: [call] } }] } },
        fault: { kind: "cut", after_tokens: 3 },
        modes: stream,
        body: { tools },
        expect: breaksOff("cut", {
          content: says + JSON.stringify(call.arguments),
          hides: /"function":|finish_reason":"tool_calls/,
          more: [["tool_calls_total", { backend: "primary", outcome: "failed" }, 1]],
        }),
      },
    ],
  },
  {
    id: "F37",
    title: "usage that is null, missing, early or cumulative -> the tokens are counted right",
    cases: ["null", "missing", "early", "cumulative"].map((variant) => ({
      what: variant,
      fault: { kind: "usage" as const, variant },
      modes: stream,
      expect: primaryAnswers(),
    })),
  },
  {
    id: "F38",
    title: "an engine faster than its reader -> held at the engine, in at most 32 MB",
    alone: true,
    play: playFlood,
  },
  {
    id: "F39",
    title: "an outage of a minute under 20 requests -> all served, few attempts at it, back within 30 s",
    seconds: 240,
    play: playFlap,
  },
];
