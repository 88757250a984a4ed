import { busy, failed, fallbackAnswers, primaryAnswers } from "../expectations.ts";
import type { PoolShape } from "../pool.ts";
import type { Profile } from "../profile.ts";
import type { Scenario } from "../scenario.ts";
import { playManyBusy, playNamedTime, playUnknownName } from "./retry-times.ts";
import { playStaleConnections } from "./stale-connections.ts";

/** What is not streamed is waited for ten times as long; so it is with a tenth of the limit. */
const patient = ({ ms }: Profile): PoolShape => ({
  settings: { primary: { timeouts: { first_token: `${ms(1000)}ms` } } },
});

/** F01 to F11: the backend gives no answer, or none in time, before anything was sent to the client. */
export const noAnswer: readonly Scenario[] = [
  {
    id: "F01",
    title: "a refused connection -> the next target within 50 ms",
    alone: true,
    cases: [{ fault: { kind: "dead" }, expect: fallbackAnswers(failed("connect"), { unseen: true, within: 50 }) }],
  },
  {
    id: "F02",
    title: "a name that does not resolve -> the next target within 50 ms",
    alone: true,
    play: playUnknownName,
  },
  {
    id: "F03",
    title: "an address that neither takes nor refuses -> given up at the connect limit, fallback",
    cases: [
      { fault: { kind: "blackhole" }, expect: fallbackAnswers(failed("connect"), { unseen: true, after: 2000 }) },
    ],
  },
  {
    id: "F04",
    title: "takes the request and never answers -> given up at the first-token limit after one attempt, fallback",
    cases: [
      {
        fault: { kind: "silence" },
        modes: ["stream"],
        expect: fallbackAnswers(failed("first_token"), { after: 10_000 }),
      },
      {
        fault: { kind: "silence" },
        modes: ["whole"],
        pool: patient,
        expect: fallbackAnswers(failed("first_token"), { after: 10_000 }),
      },
    ],
  },
  {
    id: "F05",
    title: "a reset before headers -> once more at once, then the fallback",
    cases: [
      {
        what: "lasting",
        fault: { kind: "reset" },
        expect: fallbackAnswers(failed("reset"), { tries: 2 }),
      },
      {
        what: "once",
        fault: { kind: "reset", times: 1 },
        expect: primaryAnswers({ failures: 1, tried: failed("reset") }),
      },
    ],
  },
  {
    id: "F06",
    title: "a kept connection that the engine closed -> replaced unseen, no evidence against the engine",
    play: playStaleConnections,
  },
  {
    id: "F07",
    title: "one 500 -> the same backend once more after 50 to 250 ms",
    cases: [
      {
        what: "once",
        fault: { kind: "status", status: 500, times: 1 },
        expect: { ...primaryAnswers({ failures: 1 }), apart: [45, 450] },
      },
      {
        what: "lasting",
        fault: { kind: "status", status: 500 },
        expect: fallbackAnswers(failed("server_error"), { tries: 2 }),
      },
    ],
  },
  {
    id: "F08",
    title: "a lasting 503 -> fallback, named and billed as such, nothing held against the primary",
    cases: [
      {
        fault: { kind: "status", status: 503 },
        body: { stream_options: { include_usage: true } },
        modes: ["stream"],
        expect: fallbackAnswers(busy),
      },
      { fault: { kind: "status", status: 503 }, modes: ["whole"], expect: fallbackAnswers(busy) },
    ],
    play: playManyBusy(503),
  },
  {
    id: "F09",
    title: "429 with retry-after: 2 -> another target at once; nothing to the same before that time",
    cases: [{ fault: { kind: "status", status: 429, retry_after: 2 }, expect: fallbackAnswers(busy) }],
    play: playNamedTime,
  },
  {
    id: "F10",
    title: "429 without a time -> two attempts at most, fallback, nothing held against it",
    cases: [{ fault: { kind: "status", status: 429 }, expect: fallbackAnswers(busy) }],
    play: playManyBusy(429),
  },
  {
    id: "F11",
    title: "headers at once, first token too late -> fallback at the first-token limit; comments are no token",
    cases: [
      {
        what: "late",
        pool: ({ ms }) => ({ primary: { firstTokenMs: ms(20_000) } }),
        modes: ["stream"],
        expect: fallbackAnswers(failed("first_token"), { after: 10_000, within: 500 }),
      },
      {
        what: "never",
        fault: { kind: "headers_then_silence" },
        modes: ["stream"],
        expect: fallbackAnswers(failed("first_token"), { after: 10_000, within: 500 }),
      },
      {
        what: "comments",
        fault: { kind: "pings", interval_ms: 50 },
        modes: ["stream"],
        expect: fallbackAnswers(failed("first_token"), { after: 10_000, within: 500 }),
      },
    ],
  },
];
