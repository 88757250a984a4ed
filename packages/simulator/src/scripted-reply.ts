import { readFile } from "node:fs/promises";
import type { Engine } from "./engine.ts";
import type { Exchange } from "./http-server.ts";
import { sendReply } from "./reply.ts";
import type { LogEntry } from "./request-log.ts";
import type { ScriptReply } from "./script.ts";

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** A recording as bytes: without the line that shows the request and the one that shows the times, line ends made whole. */
function recordedBytes(file: Buffer): Buffer {
  let text = file.toString("latin1");
  if (text.startsWith("$ ")) text = text.slice(text.indexOf("\n") + 1);
  text = text.replace(/\n\[[^\n]*total=[^\n]*\]\n?$/, "");
  const gap = /\r?\n\r?\n/.exec(text);
  if (gap === null || !text.startsWith("HTTP/")) return Buffer.from(text, "latin1");
  const head = text.slice(0, gap.index).replace(/\r?\n/g, "\r\n");
  const body = text.slice(gap.index + gap[0].length);
  if (!/\r\ntransfer-encoding: chunked/i.test(head)) return Buffer.from(`${head}\r\n\r\n${body}`, "latin1");
  // The recorder took the chunks apart: the body goes out as one.
  const chunk = body.length === 0 ? "" : `${body.length.toString(16)}\r\n${body}\r\n`;
  return Buffer.from(`${head}\r\n\r\n${chunk}0\r\n\r\n`, "latin1");
}

/** Plays a scripted answer that is given as bytes or as a whole reply; false = the script gives words for the model to say. */
export async function playScripted(
  engine: Engine,
  exchange: Exchange,
  entry: LogEntry,
  reply: ScriptReply,
): Promise<boolean> {
  const exact = reply.raw !== undefined || reply.raw_file !== undefined;
  const made = reply.status !== undefined || reply.body !== undefined;
  if (!exact && !made) return false;
  if (reply.delay_ms !== undefined) await wait(reply.delay_ms);
  if (exact) {
    const bytes =
      reply.raw_file === undefined ? Buffer.from(reply.raw ?? "") : recordedBytes(await readFile(reply.raw_file));
    exchange.close = true;
    exchange.raw(bytes);
    exchange.finish();
    return true;
  }
  const status = reply.status ?? 200;
  const text = engine.kind.errors.shape(status, reply.text ?? `scripted status ${status}`);
  const body =
    reply.body === undefined ? text : typeof reply.body === "string" ? reply.body : JSON.stringify(reply.body);
  sendReply(engine, exchange, entry, { status, body, ...splitHeaders(reply.headers) });
  return true;
}

function splitHeaders(headers: Record<string, string> | undefined): {
  contentType?: string;
  headers?: [string, string][];
} {
  if (headers === undefined) return {};
  const rest = Object.entries(headers).filter(([name]) => name.toLowerCase() !== "content-type");
  const type = Object.entries(headers).find(([name]) => name.toLowerCase() === "content-type")?.[1];
  return type === undefined ? { headers: rest } : { contentType: type, headers: rest };
}
