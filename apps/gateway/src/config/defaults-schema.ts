import { defaultThresholds } from "@signalbox/router";
import { z } from "zod";
import { count, duration, percent, section, text } from "./fields.ts";
import { Queue, Saturation } from "./queue-schema.ts";
import { ScalingSection } from "./scaling-schema.ts";

const Thresholds = section({
  moderate: z
    .number()
    .min(0)
    .max(1)
    .default(defaultThresholds.moderate)
    .describe("The score, from 0 to 1, from which a request is moderate."),
  complex: z
    .number()
    .min(0)
    .max(1)
    .default(defaultThresholds.complex)
    .describe("The score from which a request is complex."),
});

/** `defaults`. */
export const Defaults = section({
  timeouts: section({
    connect: duration().prefault("2s").describe("Until a connection to a backend stands."),
    first_token: duration().prefault("30s").describe("Until the first piece of content of a reply."),
    idle: duration().prefault("15s").describe("Between two pieces of a reply."),
    total: duration().prefault("10m").describe("The whole request, all attempts together."),
    cold_start: duration()
      .prefault("10m")
      .describe("Instead of `first_token` while the backend says that it loads the model."),
  })
    .prefault({})
    .describe("How long a request may wait."),
  queue: Queue.prefault({}).describe("Where requests wait whose backends are saturated."),
  saturated_at: Saturation.prefault({}).describe("When a backend has no room by its engine's own word."),
  scaling: ScalingSection.prefault({}).describe("What advice on the number of backends is reckoned by."),
  attempts: count().prefault(3).describe("Most attempts of one request, all backends and models together."),
  baseline_model: text()
    .meta({ value: "model" })
    .optional()
    .describe(
      "The model that costs are compared with, to tell [what routing saves](metrics.md#what-routing-saves); it needs a `cost`. The dearest one unless given.",
    ),
  retry_budget: percent().prefault("20%").describe("Further attempts as a share of all requests."),
  probe: section({
    interval: duration()
      .prefault("5s")
      .describe("Pause between two readiness probes of a backend. A probe is a GET and generates no token."),
    timeout: duration().prefault("2s").describe("How long a probe may take."),
  })
    .prefault({})
    .describe("Readiness probes of all backends."),
  complexity: Thresholds.prefault({}).describe("Scores in [0, 1] that divide simple, moderate and complex."),
});
