import type { z } from "zod";
import { count, duration, percent, section } from "./fields.ts";

type Field = typeof duration | typeof percent | typeof count;

/** The two values of one threshold: the first is worth a look in the morning, by the second somebody is called. */
const levels = (field: Field, [warning, critical]: readonly [string, string], what: string) =>
  section({
    warning: field().prefault(warning).describe(`${what} From this on there is a warning.`),
    critical: field().prefault(critical).describe("From this on somebody is called."),
  }).prefault({});

const ownLevels = (field: Field, name: string) =>
  section({
    warning: field().optional().describe(`Instead of \`server.alerts.${name}.warning\`, for this model.`),
    critical: field().optional().describe(`Instead of \`server.alerts.${name}.critical\`, for this model.`),
  }).prefault({});

/** `server.alerts`: what the alert rules compare with. */
export const AlertSection = section({
  objective: percent()
    .prefault("99.5%")
    .refine((share) => share < 1, "expected less than 100%: the first failure would be one too many")
    .describe(
      "Share of requests that must not fail for want of backends or of Signalbox, over 30 days. The rest is the [error budget](alerts.md#the-error-budget).",
    ),
  min_failures: count().prefault(5).describe("Fewer failures than this in the time looked at are no alert."),
  min_requests: count()
    .prefault(20)
    .describe("Of fewer requests than this in the time looked at no percentile is judged."),
  response_time: levels(
    duration,
    ["2s", "3s"],
    "[Time until an answer begins](alerts.md#response-time), 95th percentile of 5 minutes, by model.",
  ).describe("How long clients may wait for an answer to begin."),
  token_time: levels(
    duration,
    ["250ms", "500ms"],
    "Time for each token of a streamed answer, 95th percentile of 5 minutes, by model.",
  ).describe("How slowly an answer may be written."),
  error_rate: levels(percent, ["5%", "10%"], "Share of a model's requests that failed, in 5 minutes.").describe(
    "How many requests of a model may fail.",
  ),
  queue: levels(count, ["25", "50"], "Requests that wait, in Signalbox and in the engines together.").describe(
    "How many requests may wait.",
  ),
  queue_wait: levels(
    duration,
    ["5s", "15s"],
    "Time that requests which are not `batch` had to wait for a saturated backend, 95th percentile of 5 minutes.",
  ).describe("How long requests may wait for a saturated backend."),
  tool_call_failures: levels(
    percent,
    ["5%", "20%"],
    "Share of a model's tool calls that could not be read, in 15 minutes.",
  ).describe("How many tool calls of a model may be lost."),
  budget: levels(percent, ["80%", "100%"], "Share of a team's budget that is used.").describe(
    "How much of a budget may be used.",
  ),
  retries: percent().prefault("10%").describe("Attempts beyond the first, as a share of all requests in 15 minutes."),
  breaker_flaps: count()
    .prefault(3)
    .describe("A breaker that opens and closes again more often than this in an hour is alerted of."),
  refusals: percent()
    .prefault("20%")
    .describe("Share of a team's requests that its limits refused, in 30 minutes; refusals by budgets do not count."),
  admin_refusals: count()
    .prefault(20)
    .describe("Requests that the admin listener refused for their token or its role, in 10 minutes."),
});

/** `models.<name>.alerts`: what is normal for one model. */
export const ModelAlerts = section({
  response_time: ownLevels(duration, "response_time").describe("How long clients may wait for an answer to begin."),
  token_time: ownLevels(duration, "token_time").describe("How slowly an answer may be written."),
  error_rate: ownLevels(percent, "error_rate").describe("How many requests may fail."),
  tool_call_failures: ownLevels(percent, "tool_call_failures").describe("How many tool calls may be lost."),
});

/** What a file says of one model, with numbers for all units: milliseconds and shares. */
export type ModelAlerts = z.infer<typeof ModelAlerts>;
