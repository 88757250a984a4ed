import { type AddressInfo, createServer, type Socket } from "node:net";

/** A server that answers with exactly the bytes that it is told to, and closes as it is told to. */
export interface RawUpstream {
  readonly url: string;
  /** POST requests that came in whole, oldest first, head and body. */
  readonly requests: readonly string[];
  /** Connections that are open now and had a POST. */
  readonly open: number;
  /** Destroys every connection and stops listening. */
  close(): Promise<void>;
}

/** One POST, to be answered by writing to its socket. */
export interface RawExchange {
  readonly socket: Socket;
  readonly request: string;
  /** 0 for the first POST of all. */
  readonly index: number;
  /** 0 for the first POST on its connection. */
  readonly ordinal: number;
}

/** Starts a server that leaves every POST to `answer`, and every GET to the engine at `probes` (else to an empty 200). */
export async function startRawUpstream(answer: (exchange: RawExchange) => void, probes?: string): Promise<RawUpstream> {
  const requests: string[] = [];
  const sockets = new Set<Socket>();
  const posted = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    let ordinal = 0;
    let waiting = "";
    socket.on("error", () => {});
    socket.on("close", () => {
      sockets.delete(socket);
      posted.delete(socket);
    });
    socket.on("data", (data) => {
      waiting += data.toString("latin1");
      for (;;) {
        const length = requestLength(waiting);
        if (length === undefined || waiting.length < length) return;
        const request = waiting.slice(0, length);
        waiting = waiting.slice(length);
        if (request.startsWith("GET ")) {
          void answerGet(socket, request, probes);
          continue;
        }
        posted.add(socket);
        answer({ socket, request, index: requests.push(request) - 1, ordinal: ordinal++ });
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    get open() {
      return posted.size;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function answerGet(socket: Socket, request: string, probes: string | undefined): Promise<void> {
  const path = request.split(" ")[1]!;
  const [status, body] =
    probes === undefined
      ? [200, "{}"]
      : await fetch(probes + path).then(async (got) => [got.status, await got.text()] as const);
  socket.write(
    `HTTP/1.1 ${status} x\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

function requestLength(text: string): number | undefined {
  const gap = text.indexOf("\r\n\r\n");
  if (gap < 0) return undefined;
  return gap + 4 + Number(/\r\ncontent-length: *(\d+)/i.exec(text)?.[1] ?? 0);
}

/** Head of an event stream in chunks. */
export const STREAM_HEAD = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
/** Beginning of a JSON answer's head; its length and an empty line are to follow. */
export const JSON_HEAD = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
/** What ends a body in chunks. */
export const LAST_CHUNK = "0\r\n\r\n";

/** Latin1 text as one HTTP chunk. */
export function chunkOf(text: string): string {
  return text === "" ? "" : `${text.length.toString(16)}\r\n${text}\r\n`;
}
