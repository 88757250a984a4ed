import type { Server, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";

/** Idle connections are closed for want of room at most this often: each time, all are looked at. */
const REAP_MS = 100;

/** A connection over the cap is taken in to be told so, as far as there is room for it: a quarter of the cap, within these. */
const TOLD = { least: 8, most: 1024 };

/** How many connections a server may have open with this cap: those that are served, and those that are told to go. */
export function openAtMost(cap: number): number {
  return cap + Math.min(TOLD.most, Math.max(TOLD.least, Math.ceil(cap / 4)));
}

/** The client connections of a server, counted and capped, each with the answer that it was given last. */
export class Connections {
  readonly #server: Server;
  readonly #cap: number;
  readonly #answers = new Map<Duplex, ServerResponse | undefined>();
  /** Came while the cap was reached. */
  readonly #over = new Set<Duplex>();
  readonly #onDropped: () => void;
  #reapedAt = Number.NEGATIVE_INFINITY;

  /** Over `cap` idle connections are closed first; `onDropped` is told of one that could not even be answered. */
  constructor(server: Server, cap: number, onDropped: () => void) {
    this.#server = server;
    this.#cap = cap;
    this.#onDropped = onDropped;
    server.on("connection", (socket) => this.#add(socket));
  }

  get size(): number {
    return this.#answers.size;
  }

  #add(socket: Duplex): void {
    this.#answers.set(socket, undefined);
    socket.once("close", () => {
      this.#answers.delete(socket);
      this.#over.delete(socket);
    });
    if (this.size <= this.#cap) return;
    this.#reap();
    if (this.size <= openAtMost(this.#cap)) this.#over.add(socket);
    else {
      socket.destroy();
      this.#onDropped();
    }
  }

  /** A client that keeps an idle connection finds it closed, and makes another: better than none for a new one. */
  #reap(): void {
    const now = performance.now();
    if (now - this.#reapedAt < REAP_MS) return;
    this.#reapedAt = now;
    this.#server.closeIdleConnections();
  }

  /** Must a request on this connection be refused, since there are too many? */
  isOver(socket: Duplex): boolean {
    if (this.#over.size === 0 || !this.#over.has(socket)) return false;
    if (this.size > this.#cap) return true;
    this.#over.delete(socket);
    return false;
  }

  /** Notes the answer that is under way on a connection. */
  answering(socket: Duplex, outgoing: ServerResponse): void {
    this.#answers.set(socket, outgoing);
  }

  /** The answer given last on a connection, perhaps still under way. */
  answerOf(socket: Duplex): ServerResponse | undefined {
    return this.#answers.get(socket);
  }

  /** Answers whose head has not left yet will say `connection: close`. */
  closeAfterAnswers(): void {
    for (const outgoing of this.#answers.values())
      if (outgoing?.headersSent === false) outgoing.shouldKeepAlive = false;
  }
}
