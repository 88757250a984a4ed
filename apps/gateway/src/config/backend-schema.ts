import { backendKindNames } from "@signalbox/backends";
import { reasoningPlaces } from "@signalbox/protocol";
import { z } from "zod";
import { count, duration, oneOf, section, text } from "./fields.ts";
import { BackendSaturation } from "./queue-schema.ts";

const variablePattern = String.raw`^\$\{[A-Za-z_][A-Za-z0-9_]*(:-)?\}$`;

const Tls = section({
  ca_file: text().optional().describe("PEM file of the authority that signed the backend's certificate."),
  cert_file: text().optional().describe("PEM file of our client certificate; goes with `key_file`."),
  key_file: text().optional().describe("PEM file of our client certificate's key; goes with `cert_file`."),
});

const Probe = section({
  interval: duration().optional().describe("As in `defaults.probe`, for this backend."),
  timeout: duration().optional().describe("As in `defaults.probe`, for this backend."),
});

const BackendTimeouts = section({
  connect: duration().optional().describe("As in `defaults.timeouts`, for this backend."),
  first_token: duration().optional().describe("As in `defaults.timeouts`, for this backend."),
  idle: duration().optional().describe("As in `defaults.timeouts`, for this backend."),
  cold_start: duration().optional().describe("As in `defaults.timeouts`, for this backend."),
});

/** One of `backends`. */
export const Backend = section({
  kind: oneOf(backendKindNames).describe("Which engine answers there. `openai` is any other server of that API."),
  url: text().describe(
    "`http://` or `https://` address of the engine, with or without `/v1` at its end. `auto` where the kind can find its own address: `foundry_local`.",
  ),
  api_key: z
    .string()
    .meta({ pattern: variablePattern })
    .optional()
    .describe(
      "The key that the engine wants, as `${NAME}` and nothing else; sent as `authorization: Bearer`. With `${NAME:-}` there may be none.",
    ),
  api_key_file: text().optional().describe("A file with that key; read again when it changes."),
  headers: z
    .record(z.string(), z.string())
    .optional()
    .describe("Headers added to every request to this backend; secrets among them as `${NAME}`."),
  max_concurrent: count()
    .optional()
    .describe(
      "Most requests under way at once; what is more goes to another backend, or [waits](fairness.md). Without limit unless given, except that a kind which answers one request at a time has 1.",
    ),
  gpus: z
    .number()
    .positive("expected more than 0 GPUs")
    .max(1024)
    .optional()
    .describe(
      "The GPUs that the engine runs on, for budgets of [`gpu_seconds`](usage.md#gpu-seconds); a part of one is a fraction, such as 0.5. Its time counts for nothing unless given.",
    ),
  saturated_at: BackendSaturation.optional().describe(
    "When this backend has no room by its engine's own word, instead of `defaults.saturated_at`.",
  ),
  tool_parser: oneOf(["engine", "raw"])
    .default("engine")
    .describe(
      "`raw`: the engine's own parser stays out, and Signalbox reads the model's text; `sglang`, `vllm` and `llama_cpp` can. [When to choose which](decisions/engine-parser-or-raw.md).",
    ),
  reasoning_history: oneOf(reasoningPlaces)
    .optional()
    .describe(
      "Where the engine reads the [reasoning of earlier turns](reasoning.md). Known of each kind but `openai`, which gets what the client sent unless given.",
    ),
  continue_final_message: z
    .boolean()
    .default(false)
    .describe(
      "It goes on with a plain-text reply that [broke off](request-path.md#a-stream-that-breaks) on another backend of the same model; `sglang` and `vllm` can.",
    ),
  hosted: z
    .boolean()
    .optional()
    .describe(
      "What is sent there leaves the house, and is off limits for teams with [`data: local_only`](privacy.md#where-data-goes). True for the kind `openai` and false for all others unless given.",
    ),
  tls: Tls.optional().describe("For https:// backends."),
  discover_command: z
    .array(text())
    .min(1, "expected the command and its arguments")
    .optional()
    .describe(
      "With `url: auto`: the command that prints where the engine is, as a list of words that no shell reads. The kind has its own unless given.",
    ),
  probe: Probe.optional().describe("Readiness probes of this backend."),
  timeouts: BackendTimeouts.optional().describe("Timeouts of this backend, instead of `defaults.timeouts`."),
});
