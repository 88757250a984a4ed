import { z } from "zod";
import type { Engine } from "../engine.ts";
import { defineFault, NO_ARGS } from "../fault.ts";
import type { Exchange } from "../http-server.ts";
import { sendReply } from "../reply.ts";
import { statusLine } from "../wire-text.ts";
import { closeDelimited, hangUp, pour } from "./outlets.ts";

const HTML =
  "<!DOCTYPE html>\n<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1><hr>proxy</body></html>\n";

const streamHead = (engine: Engine, exchange: Exchange): string =>
  engine.kind.head({ status: 200, contentType: engine.kind.streamType, length: undefined, close: exchange.close });

export const status = defineFault({
  does: "answers `status` (500) with an error in the engine's shape, or with `body`; `retry_after` gives the header",
  args: z.strictObject({
    status: z.number().int().min(200).max(599).default(500),
    message: z.string().default("simulated failure"),
    retry_after: z.union([z.number(), z.string()]).optional(),
    body: z.unknown().optional(),
  }),
  answer: ({ engine, exchange, args }) => {
    const made = typeof args.body === "string" ? args.body : JSON.stringify(args.body);
    const body = args.body === undefined ? engine.kind.errors.shape(args.status, args.message) : made;
    const headers: [string, string][] =
      args.retry_after === undefined ? [] : [["retry-after", String(args.retry_after)]];
    sendReply(engine, exchange, undefined, { status: args.status, body, headers });
  },
});

export const html = defineFault({
  does: "answers `status` (502) with a page of HTML, as a proxy in between would",
  args: z.strictObject({ status: z.number().int().min(200).max(599).default(502) }),
  answer: ({ engine, exchange, args }) =>
    sendReply(engine, exchange, undefined, { status: args.status, body: HTML, contentType: "text/html" }),
});

export const redirect = defineFault({
  does: "answers `status` (302) with `location`",
  args: z.strictObject({
    status: z.number().int().min(300).max(399).default(302),
    location: z.string().default("http://127.0.0.1:1/elsewhere"),
  }),
  answer: ({ engine, exchange, args }) =>
    sendReply(engine, exchange, undefined, { status: args.status, body: "", headers: [["location", args.location]] }),
});

export const headersThenSilence = defineFault({
  does: "sends the 200 head of an event stream at once and then nothing",
  args: NO_ARGS,
  answer: ({ engine, exchange }) => exchange.raw(streamHead(engine, exchange)),
});

export const pings = defineFault({
  does: "sends the 200 head and then nothing but SSE comments, one each `interval_ms` (100)",
  args: z.strictObject({ interval_ms: z.number().min(1).default(100) }),
  answer: ({ engine, exchange, args }) => {
    exchange.raw(streamHead(engine, exchange));
    exchange.chunk(": ping\n\n");
    const timer = setInterval(() => exchange.chunk(": ping\n\n"), args.interval_ms);
    exchange.onAbort(() => clearInterval(timer));
  },
});

export const errorEvent = defineFault({
  does: "sends 200 and an event stream whose only event is an error with `code` (503), then `[DONE]`",
  args: z.strictObject({ code: z.number().int().default(503), message: z.string().default("simulated failure") }),
  answer: ({ engine, exchange, args }) => {
    const error = { message: args.message, type: "Service Unavailable", param: null, code: args.code };
    const body = `data: ${JSON.stringify({ error })}\n\ndata: [DONE]\n\n`;
    sendReply(engine, exchange, undefined, { status: 200, body, sse: true });
  },
});

export const errorUnder200 = defineFault({
  does: 'answers 200 with the JSON `{"error": {...}}`, with `code` (500) and `type`',
  args: z.strictObject({
    code: z.union([z.number(), z.string()]).default(500),
    type: z.string().default("server_error"),
    message: z.string().default("simulated failure"),
  }),
  answer: ({ engine, exchange, args }) => {
    const body = JSON.stringify({ error: { message: args.message, type: args.type, param: null, code: args.code } });
    sendReply(engine, exchange, undefined, { status: 200, body });
  },
});

export const emptyAnswer = defineFault({
  does: "answers 200 with a body of no bytes; a stream ends cleanly without an event",
  args: NO_ARGS,
  stream: (_strike, inner) => ({ ...inner, stopped: false, frame: () => {} }),
  whole: ({ engine, exchange }, head) => exchange.send(engine.kind.head({ ...head, length: 0 }), ""),
});

export const noContent = defineFault({
  does: "answers 204 without a body",
  args: NO_ARGS,
  answer: ({ exchange }) => exchange.send(`${statusLine(204)}\r\n`, ""),
});

export const bigError = defineFault({
  does: "answers `status` (500) with an error body of `bytes` (114 MB)",
  args: z.strictObject({
    status: z.number().int().min(400).max(599).default(500),
    bytes: z.number().int().min(64).default(114_000_000),
  }),
  answer: ({ engine, exchange, args }) => {
    const open = '{"error":{"message":"';
    const close = '","type":"server_error"}}';
    const filling = args.bytes - open.length - close.length;
    exchange.close = true;
    exchange.raw(
      engine.kind.head({ status: args.status, contentType: "application/json", length: args.bytes, close: true }),
    );
    const part = Buffer.alloc(65_536, "x");
    const rest = filling % part.length;
    exchange.raw(open);
    pour(exchange, part, filling - rest, () => {
      exchange.raw("x".repeat(rest) + close);
      exchange.finish();
    });
  },
});

export const bigHeaders = defineFault({
  does: "answers 200 with `bytes` (65536) of headers before the body",
  args: z.strictObject({ bytes: z.number().int().min(1).default(65_536) }),
  head: ({ args }, head) => {
    const count = Math.ceil(args.bytes / 1024);
    const extra = Array.from({ length: count }, (_, index): [string, string] => [
      `x-padding-${index}`,
      "p".repeat(1024),
    ]);
    return { ...head, extra: [...(head.extra ?? []), ...extra] };
  },
});

export const badStatusLine = defineFault({
  does: "answers with a status line that is not HTTP, then closes",
  args: NO_ARGS,
  answer: ({ exchange }) => {
    exchange.raw("HTTP/1.1 2OO Fine\r\ncontent-length: 2\r\n\r\nok");
    hangUp(exchange);
  },
});

export const closeDelimitedCut = defineFault({
  does: "sends the body without a length and without chunks, and closes (FIN) after `after_tokens`, or in the middle of a JSON body",
  args: NO_ARGS,
  stream: ({ exchange, afterTokens }, inner, head) => {
    let tokens = 0;
    let stopped = false;
    return {
      ...inner,
      get stopped() {
        return stopped;
      },
      begin: () => exchange.raw(closeDelimited(head)),
      frame: (text, role) => {
        if (stopped) return;
        stopped = role !== "open" && (role !== "token" || tokens >= afterTokens);
        if (role === "token") tokens += 1;
        if (stopped) hangUp(exchange);
        else exchange.raw(text);
      },
      flush: () => {},
      end: () => hangUp(exchange),
    };
  },
  whole: ({ engine, exchange }, head, body) => {
    exchange.raw(closeDelimited(engine.kind.head(head)) + body.slice(0, Math.floor(body.length / 2)));
    hangUp(exchange);
  },
});
