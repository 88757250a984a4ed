import { complexities, priorities } from "@signalbox/router";
import { count, countOrZero, duration, oneOf, percent, section, text } from "./fields.ts";

/** `defaults.queue`. */
export const Queue = section({
  max_waiting: countOrZero()
    .prefault(1000)
    .describe(
      "Most requests that [wait](fairness.md) for saturated backends, in this process; 0 = none waits, and the answer is 503 at once.",
    ),
  max_wait: duration()
    .prefault("30s")
    .describe("Longest wait. A request that would wait longer, at the rate seen, is refused at once."),
});

/** `defaults.saturated_at`. */
export const Saturation = section({
  waiting: countOrZero()
    .prefault(4)
    .describe("A backend has no room while more requests than this wait in its engine's own queue."),
  kv_use: percent().prefault("95%").describe("... or while at least this share of its KV cache is in use."),
});

/** `backends.<name>.saturated_at`. */
export const BackendSaturation = section({
  waiting: countOrZero().optional().describe("Instead of `defaults.saturated_at.waiting`."),
  kv_use: percent().optional().describe("Instead of `defaults.saturated_at.kv_use`."),
});

/** A team's place among the others while they wait. */
export const share = {
  priority: oneOf(priorities)
    .default("standard")
    .describe(
      "How urgent the team's requests are [while backends are saturated](fairness.md). A request may lower it with `x-signalbox-priority`.",
    ),
  weight: count().prefault(1).describe("The team's share among those of its priority while backends are saturated."),
};

/** `models.<name>.when_saturated`. */
export const WhenSaturated = section({
  use: text()
    .meta({ value: "model" })
    .describe(
      "While this model has no room, [easy work moves](fairness.md#easy-work-moves-down) to this one if it has. Nothing moves without `when_saturated`.",
    ),
  complexity: oneOf(complexities).default("simple").describe("Requests up to this complexity move."),
});
