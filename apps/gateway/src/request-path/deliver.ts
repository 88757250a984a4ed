import { errorBody, type GatewayError, type Reply, type ReplyEvent } from "@signalbox/protocol";
import type { HeaderList, HttpExchange } from "../http/exchange.ts";
import { retryAfter } from "../http/refusals.ts";

/** Replies up to this many bytes are joined to their head. */
const MAX_JOINED_BYTES = 64 * 1024;

const STREAM_HEADERS = [
  "content-type",
  "text/event-stream; charset=utf-8",
  "cache-control",
  "no-cache",
  "x-accel-buffering",
  "no",
];

/** Begins a stream: from here on an error can only be an event. @throws Error at a header that cannot be sent. */
export function startStream(exchange: HttpExchange, headers: HeaderList): void {
  headers.push(...STREAM_HEADERS);
  exchange.start(200, headers);
}

/** Sends the events of a begun stream as they come, no faster than the client reads. */
export async function deliverEvents(exchange: HttpExchange, reply: Reply): Promise<void> {
  for await (const batch of reply) await writeBatch(exchange, batch);
  exchange.end();
}

/** Sends a reply that is not streamed. @throws Error at a header that cannot be sent. */
export async function deliverWhole(exchange: HttpExchange, reply: Reply, headers: HeaderList): Promise<void> {
  headers.push("content-type", "application/json");
  for await (const [event] of reply) {
    // Its text is there already, from parsing, and a short text leaves together with the head.
    if (event !== undefined)
      exchange.send(200, headers, event.source.length < MAX_JOINED_BYTES ? event.text : event.source);
  }
}

/** Neighbours in one buffer leave in one write, without a copy. */
async function writeBatch(exchange: HttpExchange, batch: readonly ReplyEvent[]): Promise<void> {
  for (let first = 0; first < batch.length; ) {
    const { source, start } = batch[first]!;
    let { end } = batch[first]!;
    let next = first + 1;
    while (next < batch.length && batch[next]!.source === source && batch[next]!.start === end) {
      end = batch[next]!.end;
      next++;
    }
    const whole = start === 0 && end === source.length;
    const slow = exchange.write(whole ? source : source.subarray(start, end));
    if (slow !== undefined) {
      // What the events say is several times as large as their bytes, and a client may be slow for long.
      for (const event of batch) event.release();
      await slow;
    }
    first = next;
  }
}

/** Ends a stream that broke: an error event, and no `[DONE]`. */
export function deliverBreak(exchange: HttpExchange, error: GatewayError): void {
  exchange.write(Buffer.from(`data: ${JSON.stringify(errorBody(error))}\n\n`))?.catch(() => {});
  exchange.end();
}

/** Answers with an error, before anything was sent. */
export function deliverError(exchange: HttpExchange, error: GatewayError, headers: HeaderList = []): void {
  headers.push("content-type", "application/json");
  if (error.retryAfterMs !== undefined) headers.push("retry-after", retryAfter(error.retryAfterMs));
  if (error.final) headers.push("x-should-retry", "false");
  exchange.send(error.status, headers, JSON.stringify(errorBody(error)));
}
