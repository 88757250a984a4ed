import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { errorBody } from "../answers.ts";
import { createHttp1Reader } from "../http1-reader.ts";
import type { Act, Plan, Visit } from "./plan.ts";
import { type Talk, talkOf } from "./talk.ts";

const json = (status: number, body: string, more = ""): string =>
  `HTTP/1.1 ${status} x\r\ncontent-type: application/json\r\n${more}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
const streamHead =
  "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n";
const wholeHead = (length: number): string =>
  `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n\r\n`;
const died = { message: "EngineCore encountered an issue", type: "InternalServerError", param: null, code: 500 };
const failure = `data: ${JSON.stringify({ error: died })}\n\ndata: [DONE]\n\n`;
const malformed = Buffer.from('data: {"choices":[{"index":0,"del\n\n');
const lastChunk = "0\r\n\r\n";

const probes: Readonly<Record<string, string>> = {
  "GET /health": "",
  "GET /version": '{"version":"0.11.0"}',
  "GET /metrics": 'vllm:num_requests_running{engine="0"} 1\nvllm:num_requests_waiting{engine="0"} 0\n',
  "GET /v1/models": '{"object":"list","data":[{"id":"lab","object":"model","owned_by":"vllm"}]}',
};

const MOST_TRIES = 20;
/** A port that the system gives to nobody who asks for any, so that it is still there after an outage. */
const lastingPort = (): number => 20_000 + Math.floor(Math.random() * 10_000);

/** A model server of kind `vllm` on a raw socket that does with each attempt what its plan says. */
export class Engine {
  readonly name: string;
  /** Attempts since the start. */
  attempts = 0;
  /** Of which nobody waits for the answer any more. */
  strays = 0;
  /** Meets every attempt in place of what its plan says; undefined = all is well. */
  outage: Act | undefined;
  readonly #plans: ReadonlyMap<number, Plan>;
  readonly #sockets = new Set<Socket>();
  /** Connections on which an answer is under way. */
  readonly #busy = new Set<Socket>();
  #server: Server | undefined;
  #port = 0;

  /** Replicas of one model say the same. */
  readonly #voice: string;

  /** `plans` is looked into at each attempt, by the number in its prompt; `voice` is what stands in each of its tokens. */
  constructor(name: string, plans: ReadonlyMap<number, Plan>, voice = name) {
    this.name = name;
    this.#plans = plans;
    this.#voice = voice;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Connections on which an attempt is under way. */
  get busy(): number {
    return this.#busy.size;
  }

  /** Listens, on the port that it had before if there was one. */
  async open(): Promise<this> {
    for (let tries = 1; ; tries++) {
      const server = createServer({ noDelay: true }, (socket) => this.#serve(socket));
      const port = this.#port || lastingPort();
      try {
        server.listen(port, "127.0.0.1", 4096);
        await once(server, "listening");
        this.#server = server;
        this.#port = port;
        return this;
      } catch (error) {
        if (this.#port !== 0 || tries === MOST_TRIES) throw error;
      }
    }
  }

  /** Refuses connections and resets those that there are. */
  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.resetAndDestroy();
    const server = this.#server;
    this.#server = undefined;
    if (server !== undefined) await new Promise((resolve) => server.close(resolve));
  }

  /** Closes connections that wait for another request. */
  closeIdle(): void {
    for (const socket of this.#sockets) if (!this.#busy.has(socket)) socket.destroy();
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => {
      this.#sockets.delete(socket);
      this.#busy.delete(socket);
    });
    let target = "";
    let body: Buffer[] = [];
    const read = createHttp1Reader({
      head: (text) => {
        target = text.slice(0, text.indexOf(" HTTP/1.1"));
        body = [];
      },
      body: (bytes) => body.push(bytes),
      end: () => {
        const probe = probes[target];
        if (probe !== undefined) socket.write(json(200, probe));
        else this.#attempt(socket, body.length === 1 ? body[0]! : Buffer.concat(body));
      },
    });
    socket.on("data", read);
  }

  #attempt(socket: Socket, body: Buffer): void {
    this.attempts++;
    const at = body.indexOf("#");
    const plan = this.#plans.get(Number(body.toString("latin1", at + 1, at + 9)));
    if (at < 0 || plan === undefined) {
      this.strays++;
      socket.write(json(404, errorBody("an attempt without a plan")));
      return;
    }
    const counts = body.includes('"continuous_usage_stats":true');
    const talk = talkOf(this.#voice, { ...plan, counts, ...begunIn(body) });
    const act = socket.writableEnded ? stale : fitting(this.outage ?? nextAct(plan), talk);
    const visit: Visit = { engine: this.#voice, act, at: performance.now(), done: false };
    plan.visits.push(visit);
    this.#busy.add(socket);
    const gone = (): void => {
      if (!visit.done) visit.closedAt = performance.now();
    };
    socket.once("close", gone);
    const done = (): void => {
      visit.done = true;
      visit.endedAt = performance.now();
      this.#busy.delete(socket);
      socket.off("close", gone);
    };
    if (plan.delayMs === 0) perform(socket, act, plan, talk, done);
    else setTimeout(() => perform(socket, act, plan, talk, done), plan.delayMs);
  }
}

/** A connection that the engine has closed as the request was on its way: the next attempt meets what this one would have. */
const stale: Act = { do: "reset" };

function nextAct({ acts, visits }: Plan): Act {
  return acts[visits.filter(({ act }) => act !== stale).length] ?? { do: "answer" };
}

/** The text that a reply is to go on behind; as vLLM does, without whitespace at its end. */
function begunIn(body: Buffer): { begun?: string } {
  if (!body.includes('"continue_final_message":true')) return {};
  const { messages } = JSON.parse(body.toString()) as { messages: { content: string }[] };
  return { begun: messages.at(-1)!.content.trimEnd() };
}

/** A reply that breaks off is not finished, be it the rest of another one. */
function fitting(act: Act, { finishedAt }: Talk): Act {
  return act.do === "break" && act.bytes >= finishedAt ? { ...act, bytes: act.bytes % finishedAt } : act;
}

function perform(socket: Socket, act: Act, plan: Plan, talk: Talk, done: () => void): void {
  switch (act.do) {
    case "answer":
      say(socket, plan, talk.body, done);
      return;
    case "status": {
      const wait = act.retryAfter === undefined ? "" : `retry-after: ${act.retryAfter}\r\n`;
      done();
      socket.write(json(act.status, errorBody(`status ${act.status}`), wait));
      return;
    }
    case "reset":
      done();
      socket.resetAndDestroy();
      return;
    case "silence":
      return;
    case "error_event": {
      const said = talk.body.subarray(0, talk.tokenEnds[act.tokens - 1] ?? 0);
      say(socket, plan, Buffer.concat([said, Buffer.from(failure)]), done);
      return;
    }
    case "malformed_event": {
      const at = talk.tokenEnds[talk.tokenEnds.length >> 1] ?? 0;
      say(socket, plan, Buffer.concat([talk.body.subarray(0, at), malformed, talk.body.subarray(at)]), done);
      return;
    }
    case "break":
      breakOff(socket, act, plan, talk, done);
  }
}

/** Says all of it and keeps the connection. */
function say(socket: Socket, plan: Plan, body: Buffer, done: () => void): void {
  if (!plan.stream) {
    done();
    socket.write(Buffer.concat([Buffer.from(wholeHead(body.length)), body]));
    return;
  }
  if (body.length <= plan.pieceBytes) {
    done();
    socket.write(Buffer.concat([Buffer.from(streamHead), chunkOf(body), Buffer.from(lastChunk)]));
    return;
  }
  socket.write(streamHead);
  write(socket, body, plan, true, () => {
    done();
    socket.write(lastChunk);
  });
}

function breakOff(
  socket: Socket,
  { bytes, how }: Extract<Act, { do: "break" }>,
  plan: Plan,
  talk: Talk,
  done: () => void,
): void {
  const delimited = how === "close_delimited";
  // A whole reply is mostly sent with its length; a last chunk is what one without has.
  const chunked = !delimited && (plan.stream || how === "last_chunk");
  const type = plan.stream ? "text/event-stream" : "application/json";
  const framing = chunked
    ? "transfer-encoding: chunked\r\n"
    : delimited
      ? ""
      : `content-length: ${talk.body.length}\r\n`;
  socket.write(`HTTP/1.1 200 OK\r\ncontent-type: ${type}\r\n${framing}\r\n`);
  write(socket, talk.body.subarray(0, bytes), plan, chunked, () => {
    if (how === "stall") return;
    done();
    if (how === "last_chunk") socket.write(lastChunk);
    // What was written is to arrive first.
    if (how === "reset") setTimeout(() => socket.resetAndDestroy(), 2);
    else socket.end();
  });
}

function chunkOf(bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from("\r\n")]);
}

type Writing = Pick<Plan, "pieceBytes" | "paceMs">;

/** Writes in pieces of so many bytes, each when the one before has left. */
function write(
  socket: Socket,
  bytes: Buffer,
  { pieceBytes, paceMs }: Writing,
  chunked: boolean,
  then: () => void,
): void {
  let from = 0;
  const next = (): void => {
    if (socket.destroyed) return;
    const piece = bytes.subarray(from, from + pieceBytes);
    from += piece.length;
    socket.write(chunked ? chunkOf(piece) : piece, (error) => {
      if (error) return;
      if (from >= bytes.length) then();
      else if (paceMs > 0) setTimeout(next, paceMs);
      else setImmediate(next);
    });
  };
  // An empty chunk would be the last one.
  if (bytes.length === 0) then();
  else next();
}
