import type { Engine } from "./engine.ts";
import type { Exchange } from "./http-server.ts";
import type { Reply, ResponseHead } from "./kind.ts";
import type { LogEntry } from "./request-log.ts";

/** Sends a reply in the engine's own style; errors close the connection where the engine does so. */
export function sendReply(engine: Engine, exchange: Exchange, entry: LogEntry | undefined, reply: Reply): void {
  const { kind } = engine;
  if (reply.status >= 400 && kind.habits.closesOnError) exchange.close = true;
  if (entry !== undefined) entry.status = reply.status;
  const head: ResponseHead = {
    status: reply.status,
    contentType: reply.sse === true ? kind.streamType : (reply.contentType ?? "application/json"),
    length: reply.sse === true ? undefined : Buffer.byteLength(reply.body),
    close: exchange.close,
    extra: reply.headers,
  };
  if (reply.sse !== true) {
    exchange.send(kind.head(head), reply.body);
    return;
  }
  exchange.raw(kind.head(head));
  exchange.chunk(reply.body);
  exchange.endChunks();
}
