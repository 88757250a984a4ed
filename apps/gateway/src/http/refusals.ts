import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { errorBody, GatewayError } from "@signalbox/protocol";

const reasons: Record<number, string> = {
  400: "Bad Request",
  405: "Method Not Allowed",
  408: "Request Timeout",
  431: "Request Header Fields Too Large",
};

/** Why a request's head must not reach the app; undefined = it may. */
export function headFault({ url, headers, rawHeaders, httpVersion }: IncomingMessage): string | undefined {
  // Node's parser takes a line without a version for HTTP/0.9.
  if (httpVersion !== "1.1" && httpVersion !== "1.0") return "only HTTP/1.1 and HTTP/1.0 are spoken here";
  // A request line with a whole URL is for a proxy, which this is not.
  if (url?.charCodeAt(0) !== 0x2f) return "the request target must be a path";
  if (headers.host === undefined) return httpVersion === "1.0" ? undefined : "the host header is missing";
  let hosts = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (rawHeaders[i]!.length === 4 && rawHeaders[i]!.toLowerCase() === "host") hosts++;
  }
  return hosts > 1 ? "the host header came more than once" : undefined;
}

/** Answers in place of the app, and lets the connection go. */
export function refuseRequest(outgoing: ServerResponse, status: number, error: GatewayError): void {
  outgoing.writeHead(status, { "content-type": "application/json", connection: "close" });
  outgoing.end(JSON.stringify(errorBody(error)));
}

/** Answers on a bare socket, where there is no request to answer, and closes it. */
export function refuseSocket(socket: Duplex, status: number, error: GatewayError): void {
  const body = JSON.stringify(errorBody(error));
  socket.end(
    `HTTP/1.1 ${status} ${reasons[status]}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
    () => socket.destroy(),
  );
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
