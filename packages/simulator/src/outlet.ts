import type { Exchange } from "./http-server.ts";

/** What a frame of a stream is for; `last` is the last token and the finish in one. */
export type FrameRole = "open" | "token" | "last" | "finish" | "usage" | "done";

/** The frame ends a choice. */
export const endsChoice = (role: FrameRole): boolean => role === "finish" || role === "last";

/** Where the frames of a streamed answer go; a fault wraps one in another. */
export interface Outlet {
  /** Sends the head. */
  begin(): void;
  /** Takes one event with its `data: ` and blank line. */
  frame(text: string, role: FrameRole): void;
  /** Hands what was taken to the socket. */
  flush(): void;
  /** Ends a good stream. */
  end(): void;
  /** A fault has the answer now: nothing more is to be sent. */
  readonly stopped: boolean;
}

/** Writes frames as HTTP chunks, one each, and all chunks of a flush in one write. */
export function createChunkedOutlet(exchange: Exchange, head: string): Outlet {
  let buffer = "";
  return {
    stopped: false,
    begin: () => {
      buffer += head;
    },
    frame: (text) => {
      buffer += `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
    },
    flush: () => {
      if (buffer === "") return;
      exchange.raw(buffer);
      buffer = "";
    },
    end: () => {
      exchange.raw(`${buffer}0\r\n\r\n`);
      buffer = "";
      exchange.finish();
    },
  };
}
