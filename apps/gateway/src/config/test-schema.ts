import type { ErrorCode } from "@signalbox/protocol";
import { z } from "zod";
import { count, oneOf, section, text } from "./fields.ts";

/** What a decision can end in; other errors need an engine. */
const decisionErrors = [
  "model_not_found",
  "model_not_allowed",
  "data_not_allowed",
  "capability_not_supported",
  "context_length_exceeded",
] as const satisfies readonly ErrorCode[];

/** One of `tests`. */
export const TestEntry = section({
  name: text().describe("What is tested, in a few words."),
  request: section({
    team: text().optional().describe("The team that asks; one that may use everything unless given."),
    model: text().default("auto").describe("The model name as a client sends it."),
    prompt: z.string().optional().describe("One user message. This or `messages` is given."),
    messages: z
      .array(z.looseObject({ role: z.string() }))
      .optional()
      .describe("The conversation, as in a chat request."),
    tools: z.array(z.looseObject({})).optional().describe("As in a chat request."),
    response_format: z.looseObject({}).optional().describe("As in a chat request."),
    max_tokens: count().optional().describe("As in a chat request."),
    headers: z.record(z.string(), z.string()).default({}).describe("Headers of the request."),
  }).describe("The request to route."),
  expect: section({
    model: text()
      .optional()
      .describe("The model that it must go to. At least one of `model`, `reason` and `error` is given."),
    reason: text().optional().describe("Words that a reason of the decision must hold."),
    error: oneOf(decisionErrors).optional().describe("The [error code](errors.md) that it must end in."),
  }).describe("What must come out; at least one of these."),
});
