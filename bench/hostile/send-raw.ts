import { connect } from "node:net";

/** What came back for bytes that were sent as they are. */
export interface RawAnswer {
  /** Of each response on the connection, in order. */
  readonly statuses: readonly number[];
  readonly text: string;
  /** The other side closed the connection. */
  readonly closed: boolean;
  readonly ms: number;
}

export interface SendOptions {
  /** Read until nothing more has come for so many milliseconds behind the first byte; without it, until the other side closes. */
  readonly quietMs?: number;
  /** End our side once all is sent. */
  readonly end?: boolean;
  /** Longest wait in milliseconds, for one that would neither answer nor close; 5000 unless given. */
  readonly ms?: number;
}

/** Sends bytes to a port of the loopback on a connection of their own. Never rejects: a connection that is refused is one that closed. */
export function sendRaw(port: number, bytes: string | Buffer, options: SendOptions = {}): Promise<RawAnswer> {
  const { quietMs, end = false, ms = 5000 } = options;
  const began = performance.now();
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    let text = "";
    let quiet: NodeJS.Timeout | undefined;
    const settle = (closed: boolean): void => {
      clearTimeout(timer);
      clearTimeout(quiet);
      socket.destroy();
      resolve({ statuses: statusesOf(text), text, closed, ms: performance.now() - began });
    };
    const timer = setTimeout(() => settle(false), ms);
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString("latin1");
      clearTimeout(quiet);
      if (quietMs !== undefined) quiet = setTimeout(() => settle(false), quietMs);
    });
    socket.on("error", () => {});
    socket.on("end", () => settle(true));
    socket.on("close", () => settle(true));
    const sent = typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes;
    if (end) socket.end(sent);
    else socket.write(sent);
  });
}

/** The status lines in what a connection said. */
function statusesOf(text: string): number[] {
  return [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
}
