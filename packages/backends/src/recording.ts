import { readdirSync, readFileSync } from "node:fs";
import type { Get, GetResponse } from "./kind.ts";

/** What an engine once sent, byte for byte. */
export interface Recording {
  /** The request, where the file begins with it. */
  readonly request: { readonly method: string; readonly path: string; readonly body: string | undefined } | undefined;
  /** Undefined when only a part of the body was kept. */
  readonly status: number | undefined;
  /** Lower-case names. */
  readonly headers: Record<string, string>;
  readonly body: Buffer;
  /** Length of the body as it was measured, where the file says so. */
  readonly size: number | undefined;
}

const folder = new URL("../recordings/", import.meta.url);

/** Reads one file of `recordings/`, e.g. `vllm-0.32.0/chat.txt`. */
export function readRecording(name: string): Recording {
  return parseRecording(readFileSync(new URL(name, folder)));
}

/** Reads a file that holds several exchanges, each under a line that begins with `== `. */
export function readRecordings(name: string): readonly Recording[] {
  const text = readFileSync(new URL(name, folder), "latin1");
  const exchanges = text.split(/^== [^\n]*\n/m).filter((exchange) => exchange.trim() !== "");
  return exchanges.map((exchange) => parseRecording(Buffer.from(exchange, "latin1")));
}

/** The names of all files in one folder of `recordings/`. */
export function listRecordings(engine: string): readonly string[] {
  return readdirSync(new URL(`${engine}/`, folder))
    .sort()
    .map((file) => `${engine}/${file}`);
}

/** A `Get` that answers as this engine did: from its `get_*` files, else as it answered an unknown route. */
export function replay(engine: string): Get {
  const answers = new Map<string, GetResponse>();
  let missing: GetResponse = { status: 404, headers: {}, text: "" };
  for (const name of listRecordings(engine)) {
    const recording = readRecording(name);
    if (name.endsWith("/unknown_route.txt")) missing = answerOf(recording);
    const isGet = name.includes("/get_") && recording.request?.method === "GET";
    if (isGet && recording.request !== undefined) answers.set(recording.request.path, answerOf(recording));
  }
  return async (path) => answers.get(path) ?? missing;
}

function answerOf({ status, headers, body }: Recording): GetResponse {
  if (status === undefined) throw new Error("a recording without a status cannot be an answer");
  return { status, headers, text: body.toString("utf8") };
}

function parseRecording(file: Buffer): Recording {
  // latin1 keeps one character a byte, so that offsets hold.
  let text = file.toString("latin1");
  let request: Recording["request"];
  if (text.startsWith("$ curl ")) {
    const line = text.slice(0, text.indexOf("\n"));
    request = parseCurl(line);
    text = text.slice(line.length + 1);
  }
  const note = /\n\[(?:time_total=|total=|ttfb=|exit=|[AB] exit=|\d{3} )[^\n]*\]\n?$/.exec(text);
  if (note !== null) text = text.slice(0, note.index);
  const size = note === null ? undefined : /size=(\d+)/.exec(note[0])?.[1];
  const parsed = parseHead(text);
  return {
    request,
    status: parsed.status,
    headers: parsed.headers,
    body: Buffer.from(text.slice(parsed.bodyAt), "latin1"),
    size: size === undefined ? undefined : Number(size),
  };
}

function parseCurl(line: string): Recording["request"] {
  const data = line.indexOf(" -d ");
  const options = data === -1 ? line : line.slice(0, data);
  const path = /BASE(\/\S*)/.exec(options)?.[1] ?? "/";
  const method = / -X ([A-Z]+)/.exec(options)?.[1] ?? (data === -1 ? "GET" : "POST");
  return { method, path, body: data === -1 ? undefined : line.slice(data + " -d ".length) };
}

function parseHead(text: string): Pick<Recording, "status" | "headers"> & { bodyAt: number } {
  const start = /^HTTP\/1\.[01] (\d{3})[^\n]*\n/.exec(text);
  if (start === null) return { status: undefined, headers: {}, bodyAt: 0 };
  const headers: Record<string, string> = {};
  let at = start[0].length;
  for (;;) {
    const newline = text.indexOf("\n", at);
    if (newline === -1) return { status: Number(start[1]), headers, bodyAt: text.length };
    const line = text.slice(at, newline).trim();
    at = newline + 1;
    if (line === "") return { status: Number(start[1]), headers, bodyAt: at };
    const colon = line.indexOf(":");
    headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
  }
}
