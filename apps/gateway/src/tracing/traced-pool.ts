import { createHash } from "node:crypto";
import type { SimulatorInput } from "@signalbox/simulator";
import { onTestFinished } from "vitest";
import { startTestGateway, type TestGateway } from "../end-to-end/test-gateway.ts";
import { startTestCollector, type TestCollector } from "./test-collector.ts";
import type { ReceivedSpan } from "./test-otlp-decoder.ts";
import { newTraceId } from "./trace-ids.ts";

type Name = "a" | "b" | "c";

export interface TracedPoolOptions {
  /** Members of `server.traces` beside the endpoint; undefined = nothing is traced. */
  readonly traces?: string | undefined;
  /** Members of the model `large`. */
  readonly model?: string;
  /** Members of the backends. */
  readonly backend?: string;
  readonly defaults?: string;
  /** Of every engine. */
  readonly engine?: Partial<SimulatorInput>;
}

/** A gateway whose model `large` is on two engines, with `small` on a third as its fallback, and its collector. */
export interface TracedPool {
  readonly gateway: TestGateway<Name>;
  readonly collector: TestCollector;
  yaml(traces: string | undefined): string;
  /** Asks `large`, as the team that the key belongs to. Resolves with the id of the trace that the client began. */
  chat(options?: Chat): Promise<Told>;
  /** The spans of the request in a trace, as a tree. */
  spans(traceId: string, attempts: number): Promise<Traced>;
}

interface Chat {
  readonly body?: Readonly<Record<string, unknown>>;
  /** What the client's own `traceparent` says; undefined = it sends none. */
  readonly sampled?: boolean | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  readonly team?: string;
}

interface Told {
  readonly status: number;
  readonly text: string;
  readonly traceId: string;
}

interface Traced {
  readonly request: ReceivedSpan;
  /** In the order in which they began. */
  readonly attempts: readonly ReceivedSpan[];
}

const teams = { plain: "", open: ", log: full", shut: ", log: none" };
const hashOf = (key: string): string => `sha256:${createHash("sha256").update(key).digest("hex")}`;

/** Starts one; closed when the test ends. */
export async function startTracedPool(options: TracedPoolOptions): Promise<TracedPool> {
  const { model = "", backend = "", defaults = "", engine = {} } = options;
  const collector = await startTestCollector();
  onTestFinished(() => collector.close());
  let urls: Readonly<Record<Name, string>> | undefined;
  const yaml = (traces: string | undefined): string => `
server:
  listen: 127.0.0.1:0
  admin: 127.0.0.1:0
  drain_delay: 0s
  shed_lag: 0s
  ${traces === undefined ? "" : `traces: { endpoint: "${collector.url}"${traces} }`}
backends:
${Object.entries(urls!)
  .map(([name, url]) => `  ${name}: { kind: vllm, url: "${url}"${backend} }`)
  .join("\n")}
models:
  large: { on: [{ backend: a, model: big }, { backend: b, model: big }], strategy: ordered, fallback: [small]${model} }
  small: { on: [{ backend: c, model: tiny }] }
teams:
${Object.entries(teams)
  .map(([name, more]) => `  ${name}: { keys: ["${hashOf(`key-of-${name}`)}"]${more} }`)
  .join("\n")}
defaults: { timeouts: { connect: 500ms, first_token: 5s, idle: 500ms, total: 10s }, retry_budget: 100%${defaults} }
`;
  const gateway = await startTestGateway<Name>({
    engines: {
      a: { kind: "vllm", models: ["big"], ...engine },
      b: { kind: "vllm", models: ["big"], ...engine },
      c: { kind: "vllm", models: ["tiny"], ...engine },
    },
    yaml: (found) => {
      urls = found;
      return yaml(options.traces);
    },
  });
  onTestFinished(() => gateway.close());
  return {
    gateway,
    collector,
    yaml,
    async chat({ body = {}, sampled, headers = {}, team = "plain" } = {}) {
      const traceId = newTraceId();
      const response = await gateway.post(
        "/v1/chat/completions",
        { model: "large", max_tokens: 8, messages: [{ role: "user", content: "what-was-asked" }], ...body },
        {
          authorization: `Bearer key-of-${team}`,
          ...(sampled !== undefined && { traceparent: `00-${traceId}-b7ad6b7169203331-0${Number(sampled)}` }),
          ...headers,
        },
      );
      const { status } = response;
      const told = { status, text: await response.text() };
      return { ...told, traceId: sampled === undefined ? String(gateway.requestLines().at(-1)?.trace_id) : traceId };
    },
    async spans(traceId, count) {
      const [request, ...attempts] = (await collector.trace(traceId, count + 1)).toSorted((one, other) =>
        Number(one.start - other.start),
      );
      return { request: request!, attempts };
    },
  };
}
