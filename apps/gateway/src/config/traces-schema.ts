import { z } from "zod";
import { count, duration, percent, section, text } from "./fields.ts";

/** An address that spans can be sent to: the whole of it, or what `/v1/traces` is to be added to. */
function isCollector(value: string): boolean {
  if (!URL.canParse(value)) return false;
  const { protocol, username, password, search, hash } = new URL(value);
  return /^https?:$/.test(protocol) && username === "" && password === "" && search === "" && hash === "";
}

const Tls = section({
  ca_file: text()
    .optional()
    .describe("PEM file of the authority that signed the collector's certificate; those that Node knows unless given."),
  cert_file: text().optional().describe("PEM file of our client certificate."),
  key_file: text().optional().describe("PEM file of its key."),
});

/** Where traces go, and which. */
export const TracesSection = section({
  endpoint: text()
    .refine(isCollector, "expected the http:// or https:// address of a collector, such as http://otel-collector:4318")
    .describe(
      "[Traces](observability.md#traces) go there by OTLP over HTTP; `/v1/traces` is added where the address has no path. Nothing is traced without `server.traces`. What changes here is in force at once.",
    ),
  sample: percent()
    .prefault("10%")
    .describe(
      "Share of the requests that are traced, by their trace id, so that all replicas choose the same. Requests that failed, or that a second attempt had to save, are traced beside them.",
    ),
  slow: duration().optional().describe("Requests that take longer than this are traced, too."),
  follow_clients: z
    .boolean()
    .default(true)
    .describe(
      "A client that sends a `traceparent` decides by its flag whether its request is sampled; with `false` it is `sample` alone.",
    ),
  content: z
    .boolean()
    .default(false)
    .describe(
      "Puts prompts and answers on the spans, [redacted](privacy.md#what-is-taken-out) as in the log, of teams with `log: full` and of no other.",
    ),
  headers_file: text()
    .optional()
    .describe("A file with headers that the collector wants, `name: value` on a line each."),
  tls: Tls.optional().describe("For an https:// address."),
  service_name: text().default("signalbox").describe("What the gateway is called in traces (`service.name`)."),
  attributes: z
    .record(text(), text())
    .meta({ value: "mapping of texts" })
    .optional()
    .describe("More about this gateway, such as `deployment.environment.name: production`."),
  timeout: duration()
    .prefault("5s")
    .describe("How long the collector may take to accept a batch, tries among them, until its spans are lost."),
  queue: count().prefault("2k").describe("Spans that may wait for the collector; what is more is lost, and counted."),
});
