import { connect, type Socket } from "node:net";
import { createHttp1Reader } from "../http1-reader.ts";
import type { Plan } from "./plan.ts";

/** What a client got for one request. */
export interface Heard {
  /** 0 = nothing came. */
  readonly status: number;
  /** Status line and header lines as they came. */
  readonly head: string;
  readonly text: string;
  /** `cut` = the connection closed before the end that HTTP announces; `left` = the client closed it. */
  readonly end: "whole" | "cut" | "left";
  /** When it left, by `performance.now()`. */
  readonly leftAt?: number;
  readonly ms: number;
}

interface Asked {
  readonly at: number;
  readonly resolve: (heard: Heard) => void;
  readonly enough: ((text: string) => boolean) | undefined;
  head: string;
  text: string;
}

/** A client with one connection, one request at a time; it connects anew when it has to. */
export class Lane {
  readonly #port: number;
  #socket: Socket | undefined;
  #asked: Asked | undefined;

  constructor(port: number) {
    this.#port = port;
  }

  /** Sends a request and resolves, whatever comes. `enough` looks at the body after each piece: true = the client leaves. */
  ask(request: Buffer, enough?: (text: string) => boolean): Promise<Heard> {
    const { promise, resolve } = Promise.withResolvers<Heard>();
    this.#asked = { at: performance.now(), resolve, enough, head: "", text: "" };
    this.#socket ??= this.#connect();
    this.#socket.write(request);
    return promise;
  }

  /** Closes the connection, in the midst of an answer too. */
  leave(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.destroy();
    this.#settle("left");
  }

  #settle(end: Heard["end"]): void {
    const asked = this.#asked;
    if (asked === undefined) return;
    this.#asked = undefined;
    const { head, text, at, resolve } = asked;
    const now = performance.now();
    const status = Number(head.slice(9, 12));
    resolve({ status, head, text, end, ms: now - at, ...(end === "left" ? { leftAt: now } : {}) });
  }

  #connect(): Socket {
    const socket = connect({ port: this.#port, host: "127.0.0.1", noDelay: true });
    const read = createHttp1Reader({
      head: (head) => {
        if (this.#asked !== undefined) this.#asked.head = head;
      },
      body: (bytes) => {
        const asked = this.#asked;
        if (asked === undefined) return;
        asked.text += bytes.toString("latin1");
        if (asked.enough?.(asked.text)) this.leave();
      },
      end: () => this.#settle("whole"),
    });
    socket.on("data", (bytes) => {
      // What was read before the client left is not looked at any more.
      if (this.#socket === socket) read(bytes);
    });
    socket.on("error", () => socket.destroy());
    socket.on("close", () => {
      if (this.#socket !== socket) return;
      this.#socket = undefined;
      this.#settle("cut");
    });
    return socket;
  }
}

const tools = [
  {
    type: "function",
    function: { name: "note", parameters: { type: "object", properties: { text: { type: "string" } } } },
  },
];

/** What stands in the prompt of a plan's request. */
const promptOf = (plan: Plan): string => `request #${String(plan.number).padStart(8, "0")}`;

/** The bytes of a plan's request, for this model and with this team's key. */
export function requestOf(plan: Plan, { model, key }: { readonly model: string; readonly key?: string }): Buffer {
  const body = JSON.stringify({
    model,
    messages: [{ role: "user", content: promptOf(plan) }],
    ...(plan.stream ? { stream: true, stream_options: { include_usage: true } } : {}),
    ...(plan.toolCall ? { tools } : {}),
  });
  const bearer = key === undefined ? "" : `authorization: Bearer ${key}\r\n`;
  return Buffer.from(
    `POST /v1/chat/completions HTTP/1.1\r\nhost: lab\r\n${bearer}content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  );
}

/** Asks for what a plan says, and leaves where it says so. */
export function play(lane: Lane, plan: Plan, request: Buffer): Promise<Heard> {
  const { leaveAfter } = plan;
  if (leaveAfter === undefined) return lane.ask(request);
  if (leaveAfter > 0) {
    const last = Buffer.from(`é${leaveAfter - 1} "`).toString("latin1");
    return lane.ask(request, (text) => text.includes(last));
  }
  const heard = lane.ask(request);
  const leave = (): void => {
    if (plan.visits.some(({ done }) => !done)) lane.leave();
    else timer = setTimeout(leave, 5);
  };
  let timer = setTimeout(leave, 20);
  return heard.finally(() => clearTimeout(timer));
}
