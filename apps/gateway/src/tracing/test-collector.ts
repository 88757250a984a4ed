import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { decodeSpans, type ReceivedSpan } from "./test-otlp-decoder.ts";

/** What a collector does with a batch: takes it, never answers, or answers with a status. */
type Temper = "takes" | "hangs" | number;

/** A collector for tests: a real HTTP server on the loopback that reads OTLP's protobuf form. */
export interface TestCollector {
  /** `http://127.0.0.1:PORT`. */
  readonly url: string;
  /** Of the batches that it took, oldest first. */
  readonly spans: readonly ReceivedSpan[];
  /** Of every batch, taken or not. */
  readonly bodies: readonly Buffer[];
  readonly headers: readonly IncomingHttpHeaders[];
  temper: Temper;
  /** Resolves with the spans of a trace as soon as there are so many. @throws Error after 10 s. */
  trace(traceId: string, spans: number): Promise<readonly ReceivedSpan[]>;
  close(): Promise<void>;
}

/** Starts one on a free port, or on `port`. */
export async function startTestCollector(port = 0): Promise<TestCollector> {
  const spans: ReceivedSpan[] = [];
  const bodies: Buffer[] = [];
  const headers: IncomingHttpHeaders[] = [];
  const waiting = new Set<() => void>();
  const take = (body: Buffer, response: ServerResponse): void => {
    bodies.push(body);
    if (collector.temper === "hangs") return;
    const status = collector.temper === "takes" ? 200 : collector.temper;
    if (status === 200) spans.push(...decodeSpans(body));
    response.writeHead(status, { "content-type": "application/x-protobuf" }).end();
    for (const look of waiting) look();
  };
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    headers.push(request.headers);
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const ours = request.method === "POST" && request.url === "/v1/traces";
      if (ours) take(Buffer.concat(chunks), response);
      else response.writeHead(404).end();
    });
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  const collector: TestCollector = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    bodies,
    headers,
    temper: "takes",
    trace(traceId, count) {
      const { promise, resolve, reject } = Promise.withResolvers<readonly ReceivedSpan[]>();
      const look = (): void => {
        const found = spans.filter((span) => span.traceId === traceId);
        if (found.length >= count) resolve(found);
      };
      const late = () => reject(new Error(`not ${count} spans of ${traceId} within 10 s: ${spans.length} spans came`));
      const timer = setTimeout(late, 10_000);
      waiting.add(look);
      look();
      return promise.finally(() => {
        clearTimeout(timer);
        waiting.delete(look);
      });
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
  return collector;
}
