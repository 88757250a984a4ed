import type { GatewayError } from "@signalbox/protocol";
import type { Claimant, Lane, Waiter } from "@signalbox/router";
import type { Point, Route } from "./point.ts";

/** What a ticket needs of its queue. */
export interface TicketOffice {
  leave(waiter: Waiter<Ticket, Route>): void;
  /** The slot that was promised is to be taken now, or not at all. */
  redeem(point: Point): void;
  /** Back to where it was. */
  again(ticket: Ticket, waiter: Waiter<Ticket, Route>): void;
}

/** A request's place in the queue, from its coming until its first attempt. */
export class Ticket {
  readonly claimant: Claimant;
  readonly lane: Lane<Ticket, Route>;
  readonly maxWaitMs: number;
  /** Undefined = it was never let in. */
  waiter: Waiter<Ticket, Route> | undefined;
  /** It was not its turn at once. */
  waited = false;
  readonly #office: TicketOffice;
  #turn = Promise.withResolvers<void>();
  #promised: Point | undefined;
  #left = false;

  constructor(office: TicketOffice, lane: Lane<Ticket, Route>, claimant: Claimant, maxWaitMs: number) {
    this.#office = office;
    this.lane = lane;
    this.claimant = claimant;
    this.maxWaitMs = maxWaitMs;
  }

  get isWaiting(): boolean {
    return this.waiter?.queued === true;
  }

  /** Resolves when it is its turn. @throws GatewayError when it is turned away. @throws what `leave` was told. */
  get turn(): Promise<void> {
    return this.#turn.promise;
  }

  /** Its turn: a slot of `point` is promised to it; undefined = nothing is, since waiting would not help. */
  grant(point: Point | undefined): void {
    this.#promised = point;
    this.#turn.resolve();
  }

  turnAway(error: GatewayError): void {
    this.#turn.reject(error);
  }

  /** The client has left, or its time is over: `turn` rejects with `reason`, unless it is its turn already. */
  leave(reason: unknown): void {
    this.#left = true;
    if (!this.isWaiting) return;
    this.#office.leave(this.waiter!);
    this.#turn.reject(reason);
  }

  /**
   * To be called at its turn, just before the first attempt. False = somebody else was faster, and it waits again, at the
   * head of its team: there is a new `turn`.
   */
  claim(now: number): boolean {
    const point = this.#promised;
    this.#promised = undefined;
    if (point !== undefined) this.#office.redeem(point);
    if (this.#left || !this.lane.tag.isFull(now)) return true;
    this.#turn = Promise.withResolvers<void>();
    this.#office.again(this, this.waiter!);
    return false;
  }
}
