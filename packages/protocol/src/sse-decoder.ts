import { ReplyEvent } from "./reply.ts";
import { TransportError } from "./transport.ts";

const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const COLON = 0x3a;
const OPEN_BRACE = 0x7b;

/** The longest line that is buffered, in bytes. */
const MAX_LINE_BYTES = 1024 * 1024;

/** True when `data: ` stands at `index`. */
function isDataField(chunk: Buffer, index: number): boolean {
  return (
    chunk[index] === 0x64 &&
    chunk[index + 1] === 0x61 &&
    chunk[index + 2] === 0x74 &&
    chunk[index + 3] === 0x61 &&
    chunk[index + 4] === COLON &&
    chunk[index + 5] === SPACE
  );
}

export interface SseDecoder {
  /**
   * The events that this piece of the stream completes. An event written as `data: ...` and a blank line is a window on
   * `chunk`; any other spelling (CR, several data lines, comments, other fields, a byte order mark) comes out in that form.
   * @throws TransportError `malformed` for a line of over 1 MiB.
   */
  push(chunk: Buffer): ReplyEvent[];
  /** What was complete but for its blank line when the stream ended. */
  end(): ReplyEvent[];
}

/** Decodes `text/event-stream` by the WHATWG rules, in linear time under any splitting of the bytes. */
export function createSseDecoder(maxLineBytes = MAX_LINE_BYTES): SseDecoder {
  let carry: Buffer[] = [];
  let carried = 0;
  let data: string[] = [];
  let dataLength = 0;
  let afterCr = false;
  let first = true;

  function tooLong(): never {
    throw new TransportError("malformed", `a line of the stream is longer than ${maxLineBytes} bytes`);
  }

  function dispatch(events: ReplyEvent[]): void {
    if (data.length === 0) return;
    // A line break between JSON tokens is only white space, and cannot stand inside a JSON string.
    events.push(ReplyEvent.ofText(data.length === 1 ? data[0]! : data.join(" ")));
    data = [];
    dataLength = 0;
  }

  function takeLine(line: Buffer, events: ReplyEvent[]): void {
    let start = 0;
    if (first) {
      first = false;
      if (line[0] === 0xef && line[1] === 0xbb && line[2] === 0xbf) start = 3;
    }
    if (line.length === start) {
      dispatch(events);
      return;
    }
    // Ollama writes a bare `{"error":...}` line into an open stream: an event of its own.
    if (line[start] === OPEN_BRACE) {
      dispatch(events);
      data.push(line.toString("utf8", start));
      dispatch(events);
      return;
    }
    const colon = line.indexOf(COLON, start);
    const nameEnd = colon < 0 ? line.length : colon;
    if (nameEnd - start !== 4 || line.toString("latin1", start, nameEnd) !== "data") return;
    let from = colon < 0 ? line.length : colon + 1;
    if (line[from] === SPACE) from++;
    dataLength += line.length - from;
    if (dataLength > maxLineBytes) tooLong();
    data.push(line.toString("utf8", from));
  }

  /** From `index`: one line, slowly. Returns where the next begins, or -1 when the chunk ends within it. */
  function readLine(chunk: Buffer, index: number, events: ReplyEvent[]): number {
    let end = index;
    while (end < chunk.length && chunk[end] !== LF && chunk[end] !== CR) end++;
    if (carried + end - index > maxLineBytes) tooLong();
    if (end === chunk.length) {
      if (end > index) {
        carry.push(chunk.subarray(index));
        carried += end - index;
      }
      return -1;
    }
    const piece = chunk.subarray(index, end);
    const line = carry.length === 0 ? piece : Buffer.concat([...carry, piece]);
    carry = [];
    carried = 0;
    afterCr = chunk[end] === CR;
    takeLine(line, events);
    return end + 1;
  }

  return {
    push(chunk) {
      const events: ReplyEvent[] = [];
      const plain = !chunk.includes(CR);
      let index = 0;
      while (index < chunk.length) {
        if (afterCr) {
          afterCr = false;
          if (chunk[index] === LF) {
            index++;
            continue;
          }
        }
        if (plain && carried === 0 && data.length === 0 && isDataField(chunk, index)) {
          const lineEnd = chunk.indexOf(LF, index + 6);
          if (lineEnd >= 0 && chunk[lineEnd + 1] === LF) {
            if (lineEnd - index > maxLineBytes) tooLong();
            first = false;
            events.push(new ReplyEvent(chunk, index, lineEnd + 2, index + 6, lineEnd));
            index = lineEnd + 2;
            continue;
          }
        }
        index = readLine(chunk, index, events);
        if (index < 0) break;
      }
      return events;
    },
    end() {
      const events: ReplyEvent[] = [];
      if (carried > 0) takeLine(Buffer.concat(carry), events);
      carry = [];
      carried = 0;
      dispatch(events);
      return events;
    },
  };
}
