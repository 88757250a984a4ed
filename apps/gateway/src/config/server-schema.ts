import { z } from "zod";
import { redactionNames } from "../privacy/redaction.ts";
import { AdminTokens } from "./admin-schema.ts";
import { AlertSection } from "./alert-schema.ts";
import type { CaptureOutcome } from "./config.ts";
import { address, count, duration, durationOrZero, oneOf, section, size, text } from "./fields.ts";
import { Redact } from "./redact-schema.ts";
import { TracesSection } from "./traces-schema.ts";

/** What a reply may be captured for. */
const captureOutcomes = ["failed", "repaired", "leaked", "coerced"] as const satisfies readonly CaptureOutcome[];

const Capture = section({
  file: text().describe(
    "Keeps replies whose tool calls went wrong, [without what they say](capture.md), a line of JSON each, in a file that its owner alone can read. Nothing is kept without `server.capture`.",
  ),
  max_size: size().prefault("10MiB").describe("The file grows no further; what comes then is counted."),
  outcomes: z
    .array(oneOf(captureOutcomes))
    .min(1, "expected at least one outcome")
    .default(["failed"])
    .describe("What must have become of a reply's calls; `failed` alone unless given."),
});

const ServerTimeouts = section({
  read_header: duration().prefault("10s").describe("Until a request's head is there; else 408."),
  read_body: duration().prefault("60s").describe("From then on, until its body is there; else 408."),
  write: duration().prefault("30s").describe("A client that takes nothing of its answer for so long is let go."),
  idle: duration().prefault("65s").describe("Between two requests of a connection."),
});

/** `server`. */
export const Server = section({
  listen: address()
    .prefault("127.0.0.1:8080")
    .describe("Where clients connect. Without `teams` it must be this machine alone (127.0.0.0/8, ::1 or localhost)."),
  admin: address()
    .prefault("127.0.0.1:9090")
    .describe(
      "Where `/readyz`, `/metrics` and `/status` are served, and where backends are set [by hand](routing.md#by-hand) and keys are made. Probes and Prometheus need no token unless there are `admin_tokens`: listen on other addresses only where your network decides who comes.",
    ),
  admin_token_file: text()
    .optional()
    .describe(
      "A file with the token, 16 characters or more, that [changes](security.md#the-admin-listener) must show as `authorization: Bearer`; read again when it changes. It has the name and the role `admin`. Without any token changes are taken only where `admin` is this machine alone.",
    ),
  admin_tokens: AdminTokens.optional().describe("Who may do what through the admin listener."),
  audit_file: text()
    .optional()
    .describe(
      "Keeps what is done to the gateway, [a line of JSON each](security.md#the-audit-file), each with the hash of the one before, in a file that its owner alone can read. Every replica wants a file of its own. Nothing is kept unless given.",
    ),
  max_body: size().prefault("32MiB").describe("Largest request body; a larger one is answered with 413."),
  max_json_depth: count().prefault(128).describe("Deepest nesting of a request's JSON."),
  max_json_keys: count().prefault("100k").describe("Most object keys in a request's JSON."),
  max_connections: count()
    .optional()
    .describe(
      "Most client connections at once. One more closes idle ones first; where that does not help, its first request is answered with 503 and `retry-after`. Unless given, as many as fit into what the process may open (`ulimit -n`), since a request needs a socket to its backend as well; at most 16,384.",
    ),
  max_requests: count()
    .optional()
    .describe(
      "Most requests under way at once; one more is answered with 503 and `retry-after` before its body is read. As many as connections unless given.",
    ),
  max_bodies: size()
    .optional()
    .describe(
      "Most memory for all request bodies under way, from their first byte to the end of the answer; those of up to 64 KiB do not count. What is more is answered with 503 and `retry-after`. A sixteenth of the memory, at most 256 MiB and at least `max_body`, unless given.",
    ),
  min_body_rate: size()
    .prefault("500B")
    .describe(
      "Slowest body, in bytes a second on average, once it has taken longer than `timeouts.read_header`; a slower one is answered with 408.",
    ),
  timeouts: ServerTimeouts.prefault({}).describe("How long a client may take."),
  shed_lag: durationOrZero()
    .prefault("200ms")
    .describe(
      "Lag of the event loop from which new requests are answered with 503 and `retry-after`, as many of them as it takes ([why so](decisions/lag-watch.md)); `0s` refuses none.",
    ),
  drain_delay: durationOrZero()
    .prefault("5s")
    .describe(
      "How long connections and requests are still taken after SIGTERM, while `/readyz` says no, so that who sends them hears of it. SIGINT and a second signal go without.",
    ),
  drain: durationOrZero()
    .prefault("30s")
    .describe(
      "How long replies under way may finish after that; `0s` cuts them at once. What stops the process must be ready to wait for `drain_delay` and `drain` together.",
    ),
  log: oneOf(["json", "pretty", "silent"]).default("json").describe("The form of the log: one line a request."),
  redact: Redact.default([...redactionNames]).describe(
    "What is [taken out of prompts and answers](privacy.md#what-is-taken-out) before they are logged, for teams with `log: full`. All built-in ones unless given; `[]` takes nothing out.",
  ),
  alerts: AlertSection.prefault({}).describe("What the [alert rules](alerts.md) for Prometheus compare with."),
  metrics: section({
    teams: z
      .int()
      .min(0)
      .max(10_000)
      .default(100)
      .describe(
        "Teams that have [a label of their own](metrics.md#labels): those with a budget first, then those with limits, then the others, as they stand in the file. The rest is `other` together.",
      ),
  })
    .prefault({})
    .describe("What `/metrics` shows."),
  capture: Capture.optional().describe("Keeps replies with tool calls that failed, without what they say."),
  traces: TracesSection.optional().describe("Sends traces of requests to an OpenTelemetry collector."),
});
