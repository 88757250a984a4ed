import { setTimeout as sleep } from "node:timers/promises";
import { openLab } from "../lab/lab.ts";
import { lanePolicy } from "../lab/lane-policy.ts";
import { type Plan, planOf } from "../lab/plan.ts";
import { talkOf } from "../lab/talk.ts";
import type { Measure } from "./measure.ts";

const PAUSE_MS = 1100;

/** What says nothing against a backend. `pauses`: it asks not to be asked for a second. */
const signs: Readonly<Record<string, { readonly pauses: boolean; plan(number: number): Plan }>> = {
  "400": { pauses: false, plan: (number) => answering(number, { status: 400 }) },
  "429": { pauses: true, plan: (number) => answering(number, { status: 429, retryAfter: 1 }) },
  "503 with retry-after": { pauses: true, plan: (number) => answering(number, { status: 503, retryAfter: 1 }) },
  "client leaves": { pauses: false, plan: leaving },
};

function answering(number: number, answer: { status: number; retryAfter?: number }): Plan {
  return planOf({ number, stream: number % 2 === 0, acts: [{ do: "status", ...answer }] });
}

/** Half of them before anything came, half within a stream. */
function leaving(number: number): Plan {
  if (number % 2 === 0) return planOf({ number, stream: number % 4 === 0, acts: [{ do: "silence" }], leaveAfter: 0 });
  const plan = planOf({ number, leaveAfter: 3 });
  return { ...plan, acts: [{ do: "break", bytes: talkOf("a", plan).tokenEnds[2]!, how: "stall" }] };
}

/** How often a breaker moves for what is no failure of its backend. */
export const breakerMoves: Measure = {
  title: "moves of breakers after 1,000 each of 400, 429, 503 with Retry-After, and clients that leave",
  target: "0 of 4,000",
  async run({ size }) {
    const [lanes, each] = size === "full" ? [100, 10] : [20, 1];
    await using lab = await openLab({
      engines: ["a"],
      config: ({ a }) => lanePolicy(a, lanes, { timeouts: { first_token: "10s", idle: "10s" } }),
    });
    const attempts: Record<string, number> = {};
    let number = 0;
    for (const [name, { pauses, plan }] of Object.entries(signs)) {
      const before = lab.engines.a.attempts;
      const lane = async (_: unknown, index: number): Promise<void> => {
        const client = lab.lane();
        for (let round = 0; round < each; round++) {
          await lab.ask(client, plan(number++), { model: `m${index}` });
          if (pauses) await sleep(PAUSE_MS);
        }
      };
      await Promise.all(Array.from({ length: lanes }, lane));
      attempts[name] = lab.engines.a.attempts - before;
    }
    const moves = (await lab.gateway.scrape()).sum("signalbox_breaker_transitions_total");
    const all = Object.values(attempts).every((count) => count === lanes * each);
    return { value: moves, ok: moves === 0 && all, details: { attempts } };
  },
};
