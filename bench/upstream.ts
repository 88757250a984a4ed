import { createServer, type Socket } from "node:net";
import { completionBody, errorBody, modelsBody, streamParts } from "./answers.ts";
import { createHttp1Reader } from "./http1-reader.ts";

/** How streams are paced; sent to this process as a message. */
export interface Pace {
  /** Milliseconds from one write of a stream to its next. */
  readonly everyMs: number;
  /** Events in one write. */
  readonly eventsPerWrite: number;
  /** Content events after which a stream falls silent and stays open; undefined = it is sent to its end. */
  readonly silentAfter?: number;
}

interface Stream {
  readonly socket: Socket;
  readonly parts: ReturnType<typeof streamParts>;
  next: number;
  dueMs: number;
}

interface ChatBody {
  readonly stream?: boolean;
  readonly max_tokens?: number;
  readonly stream_options?: { readonly include_usage?: boolean };
}

let pace: Pace = { everyMs: 10, eventsPerWrite: 1 };
const streams = new Set<Stream>();
let opened = 0;

const head = (type: string, length: number, status = "200 OK") =>
  `HTTP/1.1 ${status}\r\nserver: bench\r\ncontent-type: ${type}\r\ncontent-length: ${length}\r\n\r\n`;
const whole = (type: string, body: string, status?: string) =>
  Buffer.from(head(type, Buffer.byteLength(body), status) + body);
const streamHead =
  "HTTP/1.1 200 OK\r\nserver: bench\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n";

const metrics = 'vllm:num_requests_running{engine="0"} 1\nvllm:num_requests_waiting{engine="0"} 0\n';
const answers: Record<string, Buffer> = {
  "GET /health": whole("text/plain", ""),
  "GET /version": whole("application/json", '{"version":"0.11.0"}'),
  "GET /metrics": whole("text/plain; version=0.0.4", metrics),
  "GET /v1/models": whole("application/json", modelsBody),
};
const completion = whole("application/json", completionBody);
const notFound = whole("application/json", errorBody("not found"), "404 Not Found");
const noLength = whole("application/json", errorBody("a body needs content-length"), "411 Length Required");

function answer(socket: Socket, head: string, body: Buffer): void {
  const target = head.slice(0, head.indexOf(" HTTP/1.1"));
  if (/\r\ntransfer-encoding:/i.test(head)) socket.end(noLength);
  else if (target === "POST /v1/chat/completions") answerChat(socket, JSON.parse(body.toString("latin1")) as ChatBody);
  else socket.write(answers[target] ?? notFound);
}

function answerChat(socket: Socket, body: ChatBody): void {
  if (body.stream !== true) {
    socket.write(completion);
    return;
  }
  const parts = streamParts(body.max_tokens ?? 16, body.stream_options?.include_usage === true);
  // Streams take turns within the pace, so that a gateway is woken for few of them at once.
  const dueMs = performance.now() + ((opened++ % 10) * pace.everyMs) / 10;
  const stream: Stream = { socket, parts, next: 0, dueMs };
  socket.write(Buffer.concat([Buffer.from(streamHead), parts.role]));
  streams.add(stream);
  socket.once("close", () => streams.delete(stream));
}

function writeNext(stream: Stream): void {
  const { parts, socket } = stream;
  const until = Math.min(stream.next + pace.eventsPerWrite, parts.content.length);
  const pieces = parts.content.slice(stream.next, until);
  stream.next = until;
  if (until === parts.content.length) {
    pieces.push(parts.ending);
    streams.delete(stream);
  } else if (pace.silentAfter !== undefined && until >= pace.silentAfter) {
    streams.delete(stream);
  }
  socket.write(pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces));
}

function writeDue(): void {
  const now = performance.now();
  for (const stream of streams) {
    if (stream.dueMs > now) continue;
    stream.dueMs += pace.everyMs;
    writeNext(stream);
  }
}

function serve(socket: Socket): void {
  let head = "";
  let body: Buffer[] = [];
  socket.setNoDelay(true);
  socket.on("error", () => socket.destroy());
  socket.on(
    "data",
    createHttp1Reader({
      head: (text) => {
        head = text;
        body = [];
      },
      body: (bytes) => body.push(bytes),
      end: () => answer(socket, head, body.length === 1 ? body[0]! : Buffer.concat(body)),
    }),
  );
}

setInterval(writeDue, 1);
process.on("message", (message) => {
  // A job is for the load generator, which may live in the same process.
  if (!("do" in (message as object))) pace = message as Pace;
});
process.on("disconnect", () => process.exit());
createServer(serve).listen(Number(process.argv[2]), "127.0.0.1", 4_096);
