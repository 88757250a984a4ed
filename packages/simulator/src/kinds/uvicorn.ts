import type { ResponseHead } from "../kind.ts";
import { extraLines, httpDate, statusLine } from "../wire-text.ts";

/** The head that uvicorn writes: small letters, date and server first, and no word on the connection unless it closes. */
export function uvicornHead(head: ResponseHead, last = ""): string {
  let text = `${statusLine(head.status)}date: ${httpDate()}\r\nserver: uvicorn\r\n${extraLines(head)}`;
  if (head.length !== undefined) text += `content-length: ${head.length}\r\n`;
  if (head.contentType) text += `content-type: ${head.contentType}\r\n`;
  text += last;
  if (head.close) text += "connection: close\r\n";
  if (head.length === undefined) text += "transfer-encoding: chunked\r\n";
  return `${text}\r\n`;
}
