import type { Strike } from "../fault.ts";
import type { Exchange } from "../http-server.ts";
import type { FrameRole, Outlet } from "../outlet.ts";

/** What an outlet does with each frame on its way. */
export type FrameMap = (text: string, role: FrameRole, tokens: number) => readonly string[];

/** An outlet that sends other frames than it gets. */
export function mapFrames(inner: Outlet, map: FrameMap): Outlet {
  let tokens = 0;
  return {
    get stopped() {
      return inner.stopped;
    },
    begin: inner.begin,
    frame: (text, role) => {
      if (role === "token") tokens += 1;
      for (const made of map(text, role, tokens)) inner.frame(made, role);
    },
    flush: inner.flush,
    end: inner.end,
  };
}

/**
 * An outlet that passes frames on until `afterTokens` tokens have left, then gives the answer to `act`, with the frame
 * that would have been next. Strikes before the finish when the answer is shorter.
 */
export function strikeAfter(strike: Strike<unknown>, inner: Outlet, act: (next: string) => void): Outlet {
  let tokens = 0;
  let stopped = false;
  return {
    get stopped() {
      return stopped;
    },
    begin: inner.begin,
    frame: (text, role) => {
      if (stopped) return;
      const struck = role === "open" ? false : role !== "token" || tokens >= strike.afterTokens;
      if (role === "token") tokens += 1;
      if (!struck) return inner.frame(text, role);
      stopped = true;
      inner.flush();
      act(text);
    },
    flush: () => {
      if (!stopped) inner.flush();
    },
    end: () => {
      if (!stopped) inner.end();
    },
  };
}

/** Changes the JSON of a frame. */
export function editFrame(frame: string, edit: (event: EditableEvent) => void): string {
  const json = JSON.parse(frame.slice("data: ".length)) as EditableEvent;
  edit(json);
  return `data: ${JSON.stringify(json)}\n\n`;
}

export interface EditableEvent {
  model?: string;
  choices: { delta?: Record<string, unknown>; text?: string; finish_reason: string | null }[];
  usage?: unknown;
}

/** The frame of a choice's end, made from one of its other frames. */
export function finishFrame(frame: string, reason: string): string {
  return editFrame(frame, (event) => {
    const choice = event.choices[0];
    if (choice === undefined) return;
    if (choice.delta !== undefined) choice.delta = {};
    if (choice.text !== undefined) choice.text = "";
    choice.finish_reason = reason;
  });
}

/** A head without its word on chunks: the body ends when the connection does. */
export function closeDelimited(head: string): string {
  return head
    .replace(/transfer-encoding: chunked\r\n/i, "")
    .replace(/(content-length|keep-alive|connection): [^\r]*\r\n/gi, "");
}

/** Ends the connection (FIN) without ending the answer. */
export function hangUp(exchange: Exchange): void {
  exchange.close = true;
  exchange.finish();
}

/** Writes `part` again and again, `bytes` in all, never faster than the client reads; then calls back. */
export function pour(exchange: Exchange, part: string | Buffer, bytes: number, done: () => void): void {
  let left = bytes;
  const more = (): void => {
    while (left > 0) {
      if (exchange.aborted || exchange.socket.destroyed) return;
      exchange.raw(part);
      left -= part.length;
      if (!exchange.writable) {
        exchange.socket.once("drain", more);
        return;
      }
    }
    done();
  };
  more();
}

/** The text as one HTTP chunk. */
export function asChunk(text: string): string {
  return `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
}
