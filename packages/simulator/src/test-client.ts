import { connect } from "node:net";
import { decodeChunkedBody } from "./chunked-body.ts";

/** How an exchange on a bare socket ended. */
export interface RawAnswer {
  /** Everything that came, head and framing too. */
  readonly bytes: Buffer;
  readonly statusLine: string;
  readonly status: number;
  /** In the order and case of the wire. */
  readonly headers: readonly (readonly [string, string])[];
  /** Without the framing; of an incomplete body what came. */
  readonly body: Buffer;
  /** The body is whole, as its length or its last chunk says. */
  readonly complete: boolean;
  /** `open`: the wait was over first. */
  readonly end: "complete" | "fin" | "reset" | "open";
}

export interface RawRequest {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: readonly string[];
  readonly body?: unknown;
  /** Stop waiting after so many milliseconds; used where silence is what is to be seen. */
  readonly waitMs?: number;
  /** Wait for the end of the connection, past the end of the answer. */
  readonly untilClosed?: boolean;
  /** Leave when the answer has so many bytes. */
  readonly leaveAfterBytes?: number;
}

function encode(request: RawRequest): Buffer {
  const text = typeof request.body === "string" ? request.body : JSON.stringify(request.body);
  const body = request.body === undefined ? Buffer.alloc(0) : Buffer.from(text);
  const method = request.method ?? (request.body === undefined ? "GET" : "POST");
  const lines = [
    `${method} ${request.path ?? "/v1/chat/completions"} HTTP/1.1`,
    "host: test",
    ...(request.headers ?? []),
  ];
  if (body.length > 0) lines.push(`content-length: ${body.length}`);
  const typed = lines.some((line) => /^content-type:/i.test(line));
  if (body.length > 0 && !typed) lines.push("content-type: application/json");
  return Buffer.concat([Buffer.from(`${lines.join("\r\n")}\r\n\r\n`), body]);
}

function partialChunks(bytes: Buffer): Buffer {
  const parts: Buffer[] = [];
  let at = 0;
  for (;;) {
    const line = bytes.indexOf("\r\n", at);
    const size = line < 0 ? 0 : Number.parseInt(bytes.toString("latin1", at, line), 16);
    if (!(size > 0)) return Buffer.concat(parts);
    parts.push(bytes.subarray(line + 2, line + 2 + size));
    at = line + 4 + size;
  }
}

function read(bytes: Buffer, end: RawAnswer["end"]): RawAnswer {
  const gap = bytes.indexOf("\r\n\r\n");
  const head = gap < 0 ? "" : bytes.toString("latin1", 0, gap);
  const [statusLine = "", ...lines] = head.split("\r\n");
  const headers = lines.map((line): [string, string] => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon), line.slice(colon + 1).trim()];
  });
  const find = (name: string): string | undefined => headers.find(([key]) => key.toLowerCase() === name)?.[1];
  const rest = gap < 0 ? Buffer.alloc(0) : bytes.subarray(gap + 4);
  const length = find("content-length");
  const decoded = find("transfer-encoding") === undefined ? undefined : decodeChunkedBody(rest);
  const chunked = find("transfer-encoding") !== undefined;
  const complete =
    gap >= 0 && (chunked ? decoded !== undefined : length !== undefined && rest.length >= Number(length));
  const body = chunked ? (decoded?.body ?? partialChunks(rest)) : rest;
  return { bytes, statusLine, status: Number(statusLine.split(" ")[1]), headers, body, complete, end };
}

/** Sends one request on a bare socket and tells byte for byte what came back and how it ended. */
export function rawRequest(port: number, request: RawRequest): Promise<RawAnswer> {
  return new Promise((resolve) => {
    const parts: Buffer[] = [];
    let total = 0;
    const socket = connect(port, "127.0.0.1");
    let timer: NodeJS.Timeout | undefined;
    const settle = (end: RawAnswer["end"]): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(read(Buffer.concat(parts), end));
    };
    if (request.waitMs !== undefined) timer = setTimeout(() => settle("open"), request.waitMs);
    socket.on("connect", () => socket.write(encode(request)));
    socket.on("data", (data: Buffer) => {
      parts.push(data);
      total += data.length;
      if (request.leaveAfterBytes !== undefined && total >= request.leaveAfterBytes) return settle("open");
      if (request.untilClosed === true || total > 1_000_000) return;
      if (read(Buffer.concat(parts), "open").complete) settle("complete");
    });
    socket.on("end", () => {
      const now = read(Buffer.concat(parts), "fin");
      settle(now.complete && request.untilClosed !== true ? "complete" : "fin");
    });
    socket.on("error", () => settle("reset"));
  });
}

/** A chat request body with one user message. */
export function chatBody(over: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return { model: "tiny", messages: [{ role: "user", content: "Say hello" }], ...over };
}

/** The `data:` payloads of an event stream, plain `\n` line ends assumed. */
export function eventsOf(body: Buffer | string): string[] {
  return body
    .toString()
    .split("\n\n")
    .filter((event) => event.startsWith("data: "))
    .map((event) => event.slice("data: ".length));
}

/** The text that a stream of events carries. */
export function textOf(body: Buffer | string): string {
  return eventsOf(body)
    .filter((event) => event !== "[DONE]")
    .map((event) => {
      const json = JSON.parse(event) as { choices?: { delta?: { content?: string | null }; text?: string }[] };
      return json.choices?.[0]?.delta?.content ?? json.choices?.[0]?.text ?? "";
    })
    .join("");
}
