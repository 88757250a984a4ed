import { failed, fallbackAnswers } from "../expectations.ts";
import type { Scenario } from "../scenario.ts";

/** F01 to F22: the backend fails before anything was sent to the client. */
export const backendBeforeCommit: readonly Scenario[] = [
  {
    id: "F01",
    title: "a refused connection -> the next target within 50 ms",
    alone: true,
    cases: [{ fault: { kind: "dead" }, expect: fallbackAnswers(failed("connect"), { unseen: true, within: 50 }) }],
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
    ],
  },
];
