import { reasoningPlaces } from "@signalbox/protocol";
import { strategyNames } from "@signalbox/router";
import { z } from "zod";
import { ModelAlerts } from "./alert-schema.ts";
import { dialect } from "./dialect-field.ts";
import { count, duration, modelName, oneOf, section, text } from "./fields.ts";
import { GuardSection } from "./guard-schema.ts";
import { ModelLimits } from "./limit-schema.ts";
import { WhenSaturated } from "./queue-schema.ts";
import { CostSection } from "./usage-schema.ts";

const DeploymentEntry = section({
  backend: text().describe("The name of a backend."),
  model: text().optional().describe("The name that the backend knows the model by; `<name>` unless given."),
  weight: z
    .number()
    .min(0)
    .max(1000)
    .optional()
    .describe(
      "Share of the requests with `strategy: weighted`, from 0 (only when no other can answer) to 1000; 1 unless given.",
    ),
  dialect: dialect()
    .prefault("auto")
    .describe(
      "How the model writes tool calls and reasoning: the name of a dialect, which is vLLM's where it has one (`minimax_m2`, `hermes`), or another engine's name for it (`minimax-m2`). `auto` knows all of them by their tags; `none` leaves the text as it is. [All dialects](dialects.md).",
    ),
  reasoning_first: z
    .boolean()
    .default(false)
    .describe(
      "The chat template opens the thinking, so that a reply begins inside it: MiniMax-M2, DeepSeek-R1, QwQ, Qwen3-Thinking, Step3. For an engine that splits reasoning itself it stays false.",
    ),
  reasoning_history: oneOf(reasoningPlaces)
    .optional()
    .describe("As in `backends`, for this model: what its chat template reads."),
  continue_final_message: z
    .boolean()
    .optional()
    .describe("The same for this model there, instead of what the backend says."),
});

const overridden = "Sent when the client does not send its own.";
const whereKnown = "Sent when the client does not send its own, to [kinds that know it](backends.md).";

const RequestDefaults = section({
  temperature: z.number().optional().describe(overridden),
  top_p: z.number().optional().describe(overridden),
  top_k: z.int().optional().describe(whereKnown),
  min_p: z.number().optional().describe(whereKnown),
  max_tokens: z
    .int()
    .positive()
    .optional()
    .describe("Sent when the client sends neither `max_tokens` nor `max_completion_tokens`."),
  presence_penalty: z.number().optional().describe(overridden),
  frequency_penalty: z.number().optional().describe(overridden),
  repetition_penalty: z.number().optional().describe(whereKnown),
  seed: z.int().optional().describe(overridden),
  stop: z
    .union([z.string(), z.array(z.string())], { error: "expected a text or a list of texts" })
    .optional()
    .describe(overridden),
});

/** One of `models`. */
export const ModelEntry = section({
  on: z
    .array(DeploymentEntry)
    .min(1, "expected at least one { backend, model }")
    .describe("The backends that serve this model."),
  aliases: z
    .array(modelName())
    .default([])
    .describe("Other names that clients may use for it, so that they keep the names they have."),
  strategy: oneOf(strategyNames, ["prefix_affinity"])
    .default("least_busy")
    .describe("In which order the [backends are tried](routing.md#strategies)."),
  context: count()
    .optional()
    .describe("Tokens of prompt and reply together. A longer request goes to a fallback with more."),
  tools: z.boolean().optional().describe("It can call tools."),
  images: z.boolean().optional().describe("It can read images."),
  json_schema: z.boolean().optional().describe("It can hold its answer to a JSON Schema."),
  embeddings: z.boolean().optional().describe("It serves `/v1/embeddings`."),
  fallback: z
    .array(text())
    .default([])
    .describe("Models to try, in order, when this one cannot take or answer a request."),
  hedge: section({
    after: duration().describe(
      "Asks [another backend beside the first](request-path.md#hedging) when that has sent no content for so long, and takes the answer that begins first. Nothing is hedged without `hedge`.",
    ),
  })
    .optional()
    .describe("Asks a second backend where the first is late, and takes the answer that begins first."),
  when_saturated: WhenSaturated.optional().describe(
    "Moves easy work to another model while this one has no room and the other has.",
  ),
  remember_reasoning: duration()
    .optional()
    .describe(
      "Keeps the reasoning of replies with tool calls in memory, for so long since it was last needed, and puts it back for [clients that drop it](reasoning.md#clients-that-drop-it). Nothing is kept unless given.",
    ),
  restart_broken_streams: z
    .boolean()
    .default(false)
    .describe(
      "A streamed reply that [broke off](request-path.md#a-stream-that-breaks) is asked for anew, and goes on if what comes begins with exactly the text that was sent.",
    ),
  guard: GuardSection.optional().describe("What the model's tool calls are held to."),
  limits: ModelLimits.optional().describe("What all teams together may use of the model; without limit unless given."),
  alerts: ModelAlerts.prefault({}).describe("What is normal for this model, where `server.alerts` does not fit."),
  cost: CostSection.optional().describe("What its tokens cost; nothing unless given."),
  defaults: RequestDefaults.prefault({}).describe("Request fields that a client's own values override."),
});
