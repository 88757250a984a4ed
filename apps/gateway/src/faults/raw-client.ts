import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { onTestFinished } from "vitest";

/** A client that writes bytes, and shows those that came. */
export interface RawClient {
  readonly socket: Socket;
  readonly text: () => string;
  /** Resolves with all that came when the connection is gone. */
  readonly gone: Promise<string>;
}

/** Connects to a gateway; a connection that breaks is no error here. Closed when the test ends. */
export async function dial(url: string): Promise<RawClient> {
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  let text = "";
  socket.on("data", (chunk: Buffer) => {
    text += chunk.toString("latin1");
  });
  socket.on("error", () => {});
  const gone = new Promise<string>((resolve) => socket.once("close", () => resolve(text)));
  await once(socket, "connect");
  return { socket, text: () => text, gone };
}

/** The head of a chat request with a body of `length` bytes. */
export function chatHead(length: number, more = ""): string {
  return `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n${more}\r\n`;
}

/** Writes a piece every `everyMs`, until the connection is gone or all is written. */
export function trickle(socket: Socket, bytes: string, piece: number, everyMs: number): void {
  let next = 0;
  const timer = setInterval(() => {
    if (socket.destroyed || socket.writableEnded || next >= bytes.length) clearInterval(timer);
    else {
      socket.write(bytes.slice(next, next + piece));
      next += piece;
    }
  }, everyMs);
}
