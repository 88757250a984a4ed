import { duration, percent, section } from "./fields.ts";

/** Load is kept for four windows: that of a day is more than a process remembers. */
const LONGEST_WINDOW_MS = 6 * 3_600_000;
/** Of shorter ones a fifteenth would be as long as the pause between two looks. */
const SHORTEST_WINDOW_MS = 1000;

/** `defaults.scaling`. */
export const ScalingSection = section({
  target: percent()
    .prefault("70%")
    .refine((share) => share > 0 && share <= 0.95, "expected a share between 0% and 95%: full backends only queue")
    .describe(
      "How much of its backends' slots a model's load should use at most, on average. Less keeps room for what comes suddenly.",
    ),
  wait: duration()
    .prefault("2s")
    .describe("What 95 % of requests may wait for a slot at most. It decides where a backend has few of them."),
  window: duration()
    .prefault("15m")
    .refine(
      (ms) => ms >= SHORTEST_WINDOW_MS && ms <= LONGEST_WINDOW_MS,
      "expected between 1s and 6h: four such windows are kept",
    )
    .describe("The time whose load [advice](scaling.md) rests on. A backend is called spare after four of them."),
});
