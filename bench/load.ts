import { connect, type Socket } from "node:net";
import { completionText } from "./answers.ts";
import { chatRequest } from "./chat-request.ts";
import { createHttp1Reader } from "./http1-reader.ts";
import { createStreamCheck } from "./stream-check.ts";

interface Target {
  readonly port: number;
  readonly key: string;
}

/** What this process is asked to do, as a message; it answers with a `LoadResult` when it is done. */
export type LoadJob =
  | (Target & { readonly do: "requests"; readonly connections: number; readonly count: number })
  | (Target & { readonly do: "streams"; readonly streams: number; readonly tokens: number })
  | (Target & { readonly do: "hold"; readonly streams: number })
  | { readonly do: "release" };

/** `failure` says what was wrong with the first wrong answer. */
export interface LoadResult {
  readonly failure?: string;
}

type JobOf<Name extends LoadJob["do"]> = Extract<LoadJob, { readonly do: Name }>;

/** Connections of one job. The first thing that goes wrong on any of them, an early end too, ends the job. */
class Connections {
  readonly done: Promise<void>;
  readonly finish: () => void;
  readonly #fail: (error: Error) => void;
  readonly #sockets: Socket[] = [];
  readonly #port: number;

  constructor(port: number) {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.done = promise;
    this.finish = resolve;
    this.#fail = reject;
    this.#port = port;
  }

  /** Opens a connection that hands on what it reads; `read` throws when an answer is wrong. */
  open(read: (bytes: Buffer) => void): Socket {
    const callback = (size: number, buffer: Uint8Array) => {
      try {
        read((buffer as Buffer).subarray(0, size));
      } catch (error) {
        this.#fail(error instanceof Error ? error : new Error(String(error)));
      }
      return true;
    };
    const onread = { buffer: Buffer.allocUnsafe(16_384), callback };
    const socket = connect({ port: this.#port, host: "127.0.0.1", noDelay: true, onread });
    socket.on("error", this.#fail);
    socket.on("close", () => this.#fail(new Error("a connection was closed before the work was done")));
    this.#sockets.push(socket);
    return socket;
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}

let held: Connections | undefined;
let sequence = 0;

function checkStatus(head: string): void {
  if (!head.startsWith("HTTP/1.1 200 ")) throw new Error(`the answer is ${JSON.stringify(head.slice(0, 400))}`);
}

function checkCompletion(body: Buffer): void {
  const text = body.toString();
  const completion = JSON.parse(text) as {
    readonly choices?: readonly { readonly message?: { readonly content?: string }; readonly finish_reason?: string }[];
  };
  const choice = completion.choices?.[0];
  if (choice?.message?.content !== completionText || choice.finish_reason !== "stop") {
    throw new Error(`the answer is not what the upstream sent: ${text.slice(0, 400)}`);
  }
}

async function sendRequests(job: JobOf<"requests">): Promise<void> {
  const connections = new Connections(job.port);
  let sent = 0;
  let answered = 0;
  let expectedLength: number | undefined;

  function keepBusy(): void {
    const request = chatRequest(job.port, job.key);
    let first: Buffer[] | undefined = [];
    const socket = connections.open(
      createHttp1Reader({
        head: checkStatus,
        body: (bytes) => first?.push(Buffer.from(bytes)),
        end: (length) => {
          if (first !== undefined) checkCompletion(Buffer.concat(first));
          first = undefined;
          expectedLength ??= length;
          if (length !== expectedLength)
            throw new Error(`an answer of ${length} bytes among answers of ${expectedLength}`);
          answered++;
          if (answered === job.count) connections.finish();
          else send();
        },
      }),
    );
    function send(): void {
      if (sent === job.count) return;
      sent++;
      request.renumber(sequence++);
      socket.write(request.bytes);
    }
    send();
  }

  for (let i = 0; i < job.connections; i++) keepBusy();
  await connections.done.finally(() => connections.close());
}

async function readStreams(job: JobOf<"streams">): Promise<void> {
  const connections = new Connections(job.port);
  let ended = 0;
  for (let i = 0; i < job.streams; i++) {
    const check = createStreamCheck(job.tokens);
    const end = () => {
      check.end();
      ended++;
      if (ended === job.streams) connections.finish();
    };
    const socket = connections.open(createHttp1Reader({ head: checkStatus, body: check.read, end }));
    const request = chatRequest(job.port, job.key, job.tokens);
    request.renumber(sequence++);
    socket.write(request.bytes);
  }
  await connections.done.finally(() => connections.close());
}

/** Opens streams, some at a time, until each has delivered its first token; they stay open until `release`. */
async function holdStreams(job: JobOf<"hold">): Promise<void> {
  const connections = new Connections(job.port);
  const tokens = 1_000;
  let opened = 0;
  let open = 0;

  function openOne(): void {
    if (opened === job.streams) return;
    opened++;
    const check = createStreamCheck(tokens);
    const body = (bytes: Buffer) => {
      const before = check.tokens();
      check.read(bytes);
      if (before > 0 || check.tokens() === 0) return;
      open++;
      if (open === job.streams) connections.finish();
      else openOne();
    };
    const end = () => {
      throw new Error("a stream that was to stay open has ended");
    };
    const socket = connections.open(createHttp1Reader({ head: checkStatus, body, end }));
    const request = chatRequest(job.port, job.key, tokens);
    request.renumber(sequence++);
    socket.write(request.bytes);
  }

  held = connections;
  for (let i = 0; i < 50; i++) openOne();
  await connections.done;
}

async function run(job: LoadJob): Promise<void> {
  if (job.do === "requests") return sendRequests(job);
  if (job.do === "streams") return readStreams(job);
  if (job.do === "hold") return holdStreams(job);
  held?.close();
  held = undefined;
}

process.on("message", async (message) => {
  const result: LoadResult = await run(message as LoadJob).then(
    () => ({}),
    (error: unknown) => ({ failure: error instanceof Error ? error.message : String(error) }),
  );
  process.send?.(result);
});
process.on("disconnect", () => process.exit());
