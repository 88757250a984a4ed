import { complexities, priorities } from "@signalbox/router";
import { z } from "zod";
import { count, countOrZero, duration, oneOf, percent, section } from "./fields.ts";

/** `defaults.queue`. */
export const Queue = section({
  max_waiting: countOrZero().prefault(1000).describe("Most requests that wait for saturated backends; 0 = none waits."),
  max_wait: duration().prefault("30s").describe("Longest wait; a request that would wait longer is refused at once."),
});

/** `defaults.saturated_at`. */
export const Saturation = section({
  waiting: countOrZero().prefault(4).describe("More requests than this wait in the engine's own queue."),
  kv_use: percent().prefault("95%").describe("At least this share of the engine's KV cache is in use."),
});

/** `backends.<name>.saturated_at`. */
export const BackendSaturation = section({
  waiting: countOrZero().optional().describe("More requests than this wait in the engine's own queue."),
  kv_use: percent().optional().describe("At least this share of the engine's KV cache is in use."),
});

/** A team's place among the others while they wait. */
export const share = {
  priority: oneOf(priorities)
    .default("standard")
    .describe("How urgent the team's requests are while backends are saturated."),
  weight: count().prefault(1).describe("The team's share among those of its priority while backends are saturated."),
};

/** `models.<name>.when_saturated`. */
export const WhenSaturated = section({
  use: z.string().min(1, "expected some text, not an empty string").describe("The model that takes easy work."),
  complexity: oneOf(complexities).default("simple").describe("Requests up to this complexity move."),
});
