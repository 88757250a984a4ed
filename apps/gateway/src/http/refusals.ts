import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { errorBody, GatewayError } from "@signalbox/protocol";

const reasons: Record<number, string> = {
  400: "Bad Request",
  405: "Method Not Allowed",
  408: "Request Timeout",
  431: "Request Header Fields Too Large",
};

/** A path that means another one once its dot segments are gone, or that carries a fragment. */
const indirect = /^[^?]*(?:#|\/(?:\.|%2e){1,2}(?:[/?]|$))/i;

/** How long a client that is still sending may take to read that it was refused. */
const LINGER_MS = 2000;
/** When to come back, of one who was refused for want of room. */
const RETRY_AFTER_MS = 1000;

/** Why a request's head must not reach the app; undefined = it may. */
export function headFault({ url, headers, rawHeaders, httpVersion }: IncomingMessage): string | undefined {
  // Node's parser takes a line without a version for HTTP/0.9.
  if (httpVersion !== "1.1" && httpVersion !== "1.0") return "only HTTP/1.1 and HTTP/1.0 are spoken here";
  // A request line with a whole URL is for a proxy, which this is not.
  if (url?.charCodeAt(0) !== 0x2f) return "the request target must be a path";
  // What a proxy in front allows by its path must be what is served.
  if (indirect.test(url)) return "the request target must hold no dot segments and no fragment";
  // HTTP/1.0 knows no codings: what one reads as chunks, another reads as the next request (RFC 9112, 6.1).
  if (httpVersion === "1.0" && headers["transfer-encoding"] !== undefined)
    return "transfer-encoding is not for HTTP/1.0";
  if (headers.host === undefined && httpVersion === "1.1") return "the host header is missing";
  return repeatedHeader(rawHeaders);
}

function repeatedHeader(rawHeaders: readonly string[]): string | undefined {
  let hosts = 0;
  let types = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!;
    if (name.length === 4 && name.toLowerCase() === "host") hosts++;
    else if (name.length === 12 && name.toLowerCase() === "content-type") types++;
  }
  if (hosts > 1) return "the host header came more than once";
  return types > 1 ? "the content-type header came more than once" : undefined;
}

/** No room here for now: the one error for all that we are short of. */
export function overloaded(what: string): GatewayError {
  return new GatewayError("gateway_overloaded", `the gateway is short of room: ${what}`, {
    retryAfterMs: RETRY_AFTER_MS,
  });
}

/** `retry-after`'s value: whole seconds, at least one. */
export function retryAfter(ms: number): string {
  return String(Math.max(1, Math.ceil(ms / 1000)));
}

/** Answers in place of the app, and lets the connection go. */
export function refuseRequest(outgoing: ServerResponse, error: GatewayError, status = error.status): void {
  const { retryAfterMs } = error;
  outgoing.shouldKeepAlive = false;
  outgoing.writeHead(status, {
    "content-type": "application/json",
    connection: "close",
    ...(retryAfterMs !== undefined && { "retry-after": retryAfter(retryAfterMs) }),
  });
  outgoing.end(JSON.stringify(errorBody(error)));
}

/** Answers on a bare socket, where there is no request to answer, and closes it. */
export function refuseSocket(socket: Duplex, status: number, error: GatewayError): void {
  const body = JSON.stringify(errorBody(error));
  socket.write(
    `HTTP/1.1 ${status} ${reasons[status]}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
  linger(socket);
}

/**
 * Closes a connection whose request is refused before its body is read only when the client is through with sending, or
 * after 2 s: a socket that is closed on unread bytes resets the connection, and the answer may be lost with it.
 */
export function closeGently({ socket }: IncomingMessage): void {
  socket.destroySoon = () => linger(socket);
}

/** Ends our side, and waits for the client to end its own. */
function linger(socket: Duplex): void {
  const timer = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once("close", () => clearTimeout(timer));
  socket.once("end", () => socket.destroy());
  socket.end();
}

/** What an error of Node's HTTP parser is to the client. */
export function parserRefusal(
  error: NodeJS.ErrnoException,
  maxHeaderBytes: number,
): [status: number, error: GatewayError] {
  switch (error.code) {
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return [408, new GatewayError("request_timeout", "the request did not arrive in time")];
    case "HPE_HEADER_OVERFLOW":
      return [431, new GatewayError("invalid_request", `the headers are larger than ${maxHeaderBytes} bytes`)];
    default:
      return [400, new GatewayError("invalid_request", "not a valid HTTP/1.1 request")];
  }
}
