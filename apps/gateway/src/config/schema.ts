import { backendKindNames } from "@signalbox/backends";
import { type ErrorCode, reasoningPlaces } from "@signalbox/protocol";
import { defaultThresholds, strategyNames } from "@signalbox/router";
import { z } from "zod";
import { redactionNames } from "../privacy/redaction.ts";
import { AdminTokens } from "./admin-schema.ts";
import { Condition } from "./condition-schema.ts";
import type { CaptureOutcome } from "./config.ts";
import { dialect } from "./dialect-field.ts";
import {
  address,
  count,
  duration,
  durationOrZero,
  modelName,
  oneOf,
  percent,
  plainName,
  section,
  size,
} from "./fields.ts";
import { GuardSection } from "./guard-schema.ts";
import { TeamKeyEntry } from "./key-schema.ts";
import { LimitsSection, TeamLimits } from "./limit-schema.ts";
import { BackendSaturation, Queue, Saturation, share, WhenSaturated } from "./queue-schema.ts";
import { Redact } from "./redact-schema.ts";
import { StoreField } from "./store-schema.ts";
import { BudgetSection, CostSection, UsageSection } from "./usage-schema.ts";

const variablePattern = String.raw`^\$\{[A-Za-z_][A-Za-z0-9_]*(:-)?\}$`;
const text = () => z.string().min(1, "expected some text, not an empty string");

/** What a decision can end in; other errors need an engine. */
const decisionErrors = [
  "model_not_found",
  "model_not_allowed",
  "data_not_allowed",
  "capability_not_supported",
  "context_length_exceeded",
] as const satisfies readonly ErrorCode[];

/** What a reply may be captured for. */
const captureOutcomes = ["failed", "repaired", "leaked", "coerced"] as const satisfies readonly CaptureOutcome[];

const Capture = section({
  file: text().describe("Where replies go, one line of JSON each; made if it is not there."),
  max_size: size().prefault("10MiB").describe("The file grows no further than this."),
  outcomes: z
    .array(oneOf(captureOutcomes))
    .min(1, "expected at least one outcome")
    .default(["failed"])
    .describe("What must have become of a reply's tool calls."),
});

const ServerTimeouts = section({
  read_header: duration().prefault("10s").describe("Until a request's head is there."),
  read_body: duration().prefault("60s").describe("From then on, until its body is there."),
  write: duration().prefault("30s").describe("A client that takes nothing of its answer for so long is let go."),
  idle: duration().prefault("65s").describe("Between two requests of a connection."),
});

const Server = section({
  listen: address().prefault("127.0.0.1:8080").describe("Where clients connect. Port 0 takes any free port."),
  admin: address().prefault("127.0.0.1:9090").describe("Where /readyz, /metrics and /status are served."),
  admin_token_file: text()
    .optional()
    .describe("File with a token of the role admin, that changes through the admin listener must show."),
  admin_tokens: AdminTokens.optional().describe("Who may do what through the admin listener."),
  audit_file: text().optional().describe("Keeps what is done to the gateway, a line of JSON each."),
  max_body: size().prefault("32MiB").describe("Largest request body; a larger one is answered with 413."),
  max_json_depth: count().prefault(128).describe("Deepest nesting of a request's JSON."),
  max_json_keys: count().prefault("100k").describe("Most object keys in a request's JSON."),
  max_connections: count()
    .optional()
    .describe("Most client connections at once; by what the process may open unless given."),
  max_requests: count().optional().describe("Most requests under way at once; as many as connections unless given."),
  max_bodies: size()
    .optional()
    .describe("Most memory for all request bodies under way; by the memory of the machine unless given."),
  min_body_rate: size().prefault("500B").describe("Slowest body, on average, in bytes a second."),
  timeouts: ServerTimeouts.prefault({}).describe("How long a client may take."),
  shed_lag: durationOrZero()
    .prefault("200ms")
    .describe("Lag of the event loop from which new requests are refused; 0s refuses none."),
  drain_delay: durationOrZero()
    .prefault("5s")
    .describe("How long new requests are still taken after SIGTERM, while readiness is off."),
  drain: durationOrZero().prefault("30s").describe("How long replies under way may finish after SIGTERM."),
  log: oneOf(["json", "pretty", "silent"]).default("json").describe("Form of the log: one line a request."),
  redact: Redact.default([...redactionNames]).describe(
    "What is taken out of prompts and answers of teams with `log: full`.",
  ),
  capture: Capture.optional().describe("Keeps replies with tool calls that failed, without what they say."),
});

const Tls = section({
  ca_file: text().optional().describe("PEM file of the authority that signed the backend's certificate."),
  cert_file: text().optional().describe("PEM file of our client certificate; goes with key_file."),
  key_file: text().optional().describe("PEM file of our client certificate's key; goes with cert_file."),
});

const Probe = section({
  interval: duration().optional().describe("Pause between two readiness probes."),
  timeout: duration().optional().describe("How long a probe may take."),
});

const BackendTimeouts = section({
  connect: duration().optional().describe("Until the connection stands."),
  first_token: duration().optional().describe("Until the first piece of content."),
  idle: duration().optional().describe("Between two pieces of a reply."),
  cold_start: duration().optional().describe("Until the first piece of content while the backend loads the model."),
});

const Backend = section({
  kind: oneOf(backendKindNames).describe("Which engine answers there."),
  url: text().describe("http:// or https:// address of the engine; `auto` where the kind can find its own address."),
  api_key: z
    .string()
    .meta({ pattern: variablePattern })
    .optional()
    .describe("Key that the engine wants, only as a variable; sent as a bearer token."),
  api_key_file: text().optional().describe("File with the key that the engine wants."),
  headers: z.record(z.string(), z.string()).optional().describe("Headers added to every request to this backend."),
  max_concurrent: count().optional().describe("Most requests under way at once; more go to another backend."),
  gpus: z
    .number()
    .positive("expected more than 0 GPUs")
    .max(1024)
    .optional()
    .describe("GPUs that the engine runs on, for `gpu_seconds` budgets; a part of one is a fraction."),
  saturated_at: BackendSaturation.optional().describe(
    "When this backend has no room by its engine's own word, instead of `defaults.saturated_at`.",
  ),
  tool_parser: oneOf(["engine", "raw"])
    .default("engine")
    .describe("Who finds tool calls first: the engine's own parser, or nobody: it hands on the model's text."),
  reasoning_history: oneOf(reasoningPlaces)
    .optional()
    .describe("Where the engine reads the reasoning of earlier turns; known of each kind but `openai`."),
  continue_final_message: z
    .boolean()
    .default(false)
    .describe("Goes on with a plain-text reply that broke off on another backend of the same model."),
  hosted: z
    .boolean()
    .optional()
    .describe(
      "What is sent there leaves the house: off limits for `data: local_only`; true for `openai` unless given.",
    ),
  tls: Tls.optional().describe("For https:// backends."),
  discover_command: z
    .array(text())
    .min(1, "expected the command and its arguments")
    .optional()
    .describe("Command that prints where the engine is, as a list of words; no shell reads it. Only with `url: auto`."),
  probe: Probe.optional().describe("Readiness probes of this backend."),
  timeouts: BackendTimeouts.optional().describe("Timeouts of this backend, instead of `defaults.timeouts`."),
});

const DeploymentEntry = section({
  backend: text().describe("Name of a backend."),
  model: text().optional().describe("The name that the backend knows the model by."),
  weight: z
    .number()
    .min(0)
    .max(1000)
    .optional()
    .describe("Share of the requests, with `strategy: weighted`; 0 = only when no other can answer."),
  dialect: dialect()
    .prefault("auto")
    .describe("How the model writes tool calls and reasoning; `none` leaves its text as it is."),
  reasoning_first: z
    .boolean()
    .default(false)
    .describe("The chat template opens the thinking, so that a reply begins inside it."),
  reasoning_history: oneOf(reasoningPlaces)
    .optional()
    .describe("Where the engine reads the reasoning of earlier turns, instead of the backend's."),
  continue_final_message: z
    .boolean()
    .optional()
    .describe("Goes on with a plain-text reply that broke off on another backend, instead of what the backend says."),
});

const RequestDefaults = section({
  temperature: z.number().optional(),
  top_p: z.number().optional(),
  top_k: z.int().optional(),
  min_p: z.number().optional(),
  max_tokens: z.int().positive().optional(),
  presence_penalty: z.number().optional(),
  frequency_penalty: z.number().optional(),
  repetition_penalty: z.number().optional(),
  seed: z.int().optional(),
  stop: z.union([z.string(), z.array(z.string())], { error: "expected a text or a list of texts" }).optional(),
});

const ModelEntry = section({
  on: z
    .array(DeploymentEntry)
    .min(1, "expected at least one { backend, model }")
    .describe("The backends that serve this model."),
  aliases: z.array(modelName()).default([]).describe("Other names that clients may use for it."),
  strategy: oneOf(strategyNames, ["prefix_affinity"])
    .default("least_busy")
    .describe("In which order the backends are tried."),
  context: count().optional().describe("Tokens of prompt and reply together."),
  tools: z.boolean().optional().describe("Can call tools."),
  images: z.boolean().optional().describe("Can read images."),
  json_schema: z.boolean().optional().describe("Can hold its answer to a JSON Schema."),
  embeddings: z.boolean().optional().describe("Serves /v1/embeddings."),
  fallback: z.array(text()).default([]).describe("Models to try, in order, when this one cannot answer."),
  hedge: section({
    after: duration().describe("Until another backend is asked beside one that has sent no content."),
  })
    .optional()
    .describe("Asks a second backend where the first is late, and takes the answer that begins first."),
  when_saturated: WhenSaturated.optional().describe(
    "Moves easy work to another model while this one has no room and the other has.",
  ),
  remember_reasoning: duration()
    .optional()
    .describe("Keeps the reasoning of replies with tool calls in memory for clients that do not send it back."),
  restart_broken_streams: z
    .boolean()
    .default(false)
    .describe("Asks again for a streamed reply that broke off; the rest is sent if it begins with the same text."),
  guard: GuardSection.optional().describe("What the model's tool calls are held to."),
  limits: LimitsSection.optional().describe(
    "What all teams together may use of the model; without limit unless given.",
  ),
  cost: CostSection.optional().describe("What its tokens cost; nothing unless given."),
  defaults: RequestDefaults.prefault({}).describe("Request fields that a client's own values override."),
});

const RuleEntry = section({
  name: plainName("rule").optional().describe("Shown as the reason; `routing.N` (from 0) unless given."),
  when: Condition.optional().describe("All of these must hold; without it the rule always matches."),
  use: text().describe("Name of the model to use."),
});

const TeamEntry = section({
  keys: z
    .array(TeamKeyEntry)
    .min(1, "expected at least one key hash (signalbox keys create makes one)")
    .describe("SHA-256 hashes of the team's keys, as `sha256:` and 64 hex digits, or with a name and an end."),
  models: z.array(text()).optional().describe("Models that the team may use; all of them, and `auto`, unless given."),
  ...share,
  limits: TeamLimits.prefault({}).describe("What the team may use; without limit unless given."),
  log: oneOf(["none", "metadata", "full"])
    .default("metadata")
    .describe("What is written down of its requests: nothing, a line without their words, or prompt and answer too."),
  data: oneOf(["local_only"]).optional().describe("Keeps its requests off backends that are `hosted`."),
  budget: BudgetSection.prefault({}).describe(
    "What it may use in a day, a week or a month; without limit unless given.",
  ),
  guard: GuardSection.optional().describe(
    "What tool calls in the team's answers are held to, beside the model's guard.",
  ),
});

const Thresholds = section({
  moderate: z
    .number()
    .min(0)
    .max(1)
    .default(defaultThresholds.moderate)
    .describe("Score from which a request is moderate."),
  complex: z
    .number()
    .min(0)
    .max(1)
    .default(defaultThresholds.complex)
    .describe("Score from which a request is complex."),
});

const Defaults = section({
  timeouts: section({
    connect: duration().prefault("2s").describe("Until a connection to a backend stands."),
    first_token: duration().prefault("30s").describe("Until the first piece of content of a reply."),
    idle: duration().prefault("15s").describe("Between two pieces of a reply."),
    total: duration().prefault("10m").describe("The whole request, all attempts together."),
    cold_start: duration()
      .prefault("10m")
      .describe("Instead of first_token while the backend says that it loads the model."),
  })
    .prefault({})
    .describe("How long a request may wait."),
  queue: Queue.prefault({}).describe("Where requests wait whose backends are saturated."),
  saturated_at: Saturation.prefault({}).describe("When a backend has no room by its engine's own word."),
  attempts: count().prefault(3).describe("Most attempts of one request, all backends and models together."),
  retry_budget: percent().prefault("20%").describe("Further attempts as a share of all requests."),
  probe: section({
    interval: duration().prefault("5s").describe("Pause between two readiness probes of a backend."),
    timeout: duration().prefault("2s").describe("How long a probe may take."),
  })
    .prefault({})
    .describe("Readiness probes of all backends."),
  complexity: Thresholds.prefault({}).describe("Scores in [0, 1] that divide simple, moderate and complex."),
});

const TestEntry = section({
  name: text().describe("What is tested, in a few words."),
  request: section({
    team: text().optional().describe("Name of the team that asks."),
    model: text().default("auto").describe("Model name as a client sends it."),
    prompt: z.string().optional().describe("One user message."),
    messages: z
      .array(z.looseObject({ role: z.string() }))
      .optional()
      .describe("The conversation, instead of `prompt`."),
    tools: z.array(z.looseObject({})).optional().describe("Tools as in a chat request."),
    response_format: z.looseObject({}).optional().describe("As in a chat request."),
    max_tokens: count().optional().describe("As in a chat request."),
    headers: z.record(z.string(), z.string()).default({}).describe("Headers of the request."),
  }).describe("The request to route."),
  expect: section({
    model: text().optional().describe("The model that it must go to."),
    reason: text().optional().describe("Words that the reason must hold."),
    error: oneOf(decisionErrors).optional().describe("The error code that it must end in."),
  }).describe("What must come out; at least one of these."),
});

/** The policy file. Input is what YAML gives, output has numbers for all units and the defaults filled in. */
export const ConfigFile = section({
  version: z
    .literal(1, { error: "expected 1, the version of this file's form" })
    .describe("Version of this file's form: 1."),
  server: Server.prefault({}).describe("Listeners and limits of the HTTP server."),
  store: StoreField.prefault("memory").describe("Where limits are counted: memory, an address, or a mapping."),
  usage: UsageSection.optional().describe("Where it is written down what each request used."),
  backends: z.record(plainName("backend"), Backend).describe("The engines, by name."),
  models: z.record(modelName(), ModelEntry).describe("The models that clients and rules name."),
  routing: z
    .array(RuleEntry)
    .default([])
    .describe("What the model name `auto` means; the first rule that matches wins."),
  teams: z.record(plainName("team"), TeamEntry).optional().describe("Who may use it; without it no key is checked."),
  defaults: Defaults.prefault({}).describe("Settings of all requests."),
  tests: z
    .array(TestEntry)
    .default([])
    .describe("Requests with the model they must go to; `signalbox check` runs them."),
});
export type ConfigFile = z.infer<typeof ConfigFile>;
