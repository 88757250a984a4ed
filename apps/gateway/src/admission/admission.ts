import {
  type BackendState,
  type Claimant,
  FairQueue,
  type Holder,
  holderOf,
  isOverShare,
  isSaturated,
  keptSlots,
  type Lane,
  type Priority,
  type Waiter,
} from "@signalbox/router";
import type { QueueConfig } from "../config/config.ts";
import { Point, type Route } from "./point.ts";
import { Ticket, type TicketOffice } from "./ticket.ts";
import { type Standpoint, type TurnedAwayReason, turnedAway } from "./turned-away.ts";

/** While somebody waits, room that nothing tells of is looked for so often: a pause or a breaker's wait that is over. */
const LOOK_MS = 250;

export interface AdmissionOptions {
  /** Milliseconds, never going back. */
  now(): number;
  onTurnedAway(reason: TurnedAwayReason): void;
}

/** One that is to wait. */
export interface Applicant extends Claimant {
  /** Estimated tokens of prompt and reply. */
  readonly cost: number;
}

/**
 * The queue of requests whose backends are saturated: one for the process, whatever configs come and go. A request that
 * waits is woken when an attempt ends, when an engine tells of room, or at its deadline; it is always answered.
 */
export class Admission implements TicketOffice {
  readonly #queue = new FairQueue<Ticket, Route>(0);
  readonly #options: AdmissionOptions;
  readonly #points = new WeakMap<BackendState, Point>();
  /** Where somebody waits. */
  readonly #busy = new Set<Point>();
  readonly #lanes = new Set<Lane<Ticket, Route>>();
  #promised = 0;
  #looking = false;
  #timer: NodeJS.Timeout | undefined;
  #timerAt = 0;
  /** From then on nobody may wait. */
  #endsAt = Number.POSITIVE_INFINITY;

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  /** Requests that wait, by priority. */
  get waiting(): Readonly<Record<Priority, number>> {
    return this.#queue.waiting;
  }

  /** The same by the model that they were for: the first one that they may have. */
  waitingByModel(): Map<string, number> {
    const waiting = new Map<string, number>();
    for (const { tag, flows } of this.#lanes)
      for (const { count } of flows.values()) waiting.set(tag.model, (waiting.get(tag.model) ?? 0) + count);
    return waiting;
  }

  pointOf(backend: BackendState): Point {
    let point = this.#points.get(backend);
    if (point === undefined) {
      point = new Point(backend);
      this.#points.set(backend, point);
    }
    return point;
  }

  /** Has a backend a slot for this one (undefined = for anyone), and does nobody wait for it? */
  hasRoom(backend: BackendState, visitor: Holder | undefined, now: number): boolean {
    const point = this.#promised === 0 && this.#queue.size === 0 ? undefined : this.#points.get(backend);
    if (point !== undefined && point.place.flows.size > 0) return false;
    const promised = point?.promised ?? 0;
    const free = backend.maxConcurrent - backend.inFlight - promised;
    if (free <= 0 || isSaturated(backend, now, promised)) return false;
    if (free > keptSlots(backend.maxConcurrent)) return true;
    return visitor !== undefined && !isOverShare(backend, visitor, now);
  }

  /** A place in the queue; its `turn` tells what becomes of it, perhaps at once. */
  join(lane: Lane<Ticket, Route>, applicant: Applicant, { maxWaiting, maxWaitMs }: QueueConfig): Ticket {
    const now = this.#options.now();
    const ticket = new Ticket(this, lane, applicant, maxWaitMs);
    const standpoint = this.#standpointOf(ticket, now);
    this.#queue.maxWaiting = maxWaiting;
    const deadline = Math.min(now + maxWaitMs, this.#endsAt);
    const { waiter, evicted } = this.#queue.add(lane, { ...applicant, deadline, value: ticket });
    if (evicted !== undefined) this.#crowdOut(evicted.value, now);
    if (waiter === undefined) {
      this.#turnAway(ticket, standpoint.own > 0 ? "team_backlog" : "queue_full", standpoint);
      return ticket;
    }
    ticket.waiter = waiter;
    this.#enlist(lane, now);
    this.#look(now);
    if (!ticket.isWaiting) return ticket;
    const isKnown = lane.tag.points.every(({ rate }) => rate.isKnown);
    if (now >= this.#endsAt || (isKnown && standpoint.expectedMs > maxWaitMs)) {
      this.leave(waiter);
      this.#turnAway(ticket, this.#reasonFor(ticket, "expected_wait", standpoint, now), standpoint);
      return ticket;
    }
    ticket.waited = true;
    this.#arm(now);
    return ticket;
  }

  /** To be told by every backend: an attempt has `ended`, or its engine's load is known anew. */
  readonly roomOn = (backend: BackendState, ended: boolean): void => {
    if (this.#queue.size === 0) return;
    if (ended) this.#points.get(backend)?.rate.ended(this.#options.now());
    this.#lookSoon();
  };

  leave(waiter: Waiter<Ticket, Route>): void {
    this.#queue.remove(waiter);
  }

  redeem(point: Point): void {
    point.promised--;
    this.#promised--;
    // Should it not be taken, somebody else may have it.
    if (this.#queue.size > 0) this.#lookSoon();
  }

  again(ticket: Ticket, waiter: Waiter<Ticket, Route>): void {
    const now = this.#options.now();
    ticket.waiter = this.#queue.putBack(waiter);
    this.#enlist(ticket.lane, now);
    this.#arm(now);
    this.#lookSoon();
  }

  /** Whoever still waits in `ms` is turned away then. */
  drain(ms: number): void {
    const now = this.#options.now();
    this.#endsAt = now + ms;
    if (this.#queue.size > 0) this.#arm(now);
  }

  /** Turns everybody away. */
  close(): void {
    this.#endsAt = this.#options.now();
    clearTimeout(this.#timer);
    this.#tick();
  }

  #enlist(lane: Lane<Ticket, Route>, now: number): void {
    this.#lanes.add(lane);
    for (const point of lane.tag.points) {
      this.#busy.add(point);
      point.rate.start(now);
    }
    this.#expect(lane, now);
  }

  /** Who waits counts among those who share a backend, though it has nothing of it yet. */
  #expect(lane: Lane<Ticket, Route>, now: number): void {
    for (const flow of lane.flows.values())
      for (const { backend } of lane.tag.points) backend.expect(holderOf(flow), now);
  }

  /** Behind what runs now: a request whose attempt has just failed may have its slot again. */
  #lookSoon(): void {
    if (this.#looking) return;
    this.#looking = true;
    queueMicrotask(this.#lookNow);
  }

  readonly #lookNow = (): void => {
    this.#looking = false;
    this.#look(this.#options.now());
  };

  /** Gives what is free to those whose turn it is. */
  #look(now: number): void {
    for (const point of this.#busy) {
      while (this.#serve(point, now));
      if (point.place.flows.size > 0) continue;
      this.#busy.delete(point);
      point.rate.stop();
    }
  }

  #serve(point: Point, now: number): boolean {
    const { backend, place, promised } = point;
    const free = backend.maxConcurrent - backend.inFlight - promised;
    if (free <= 0 || isSaturated(backend, now, promised)) return false;
    const scarce = free <= keptSlots(backend.maxConcurrent);
    const waiter = this.#queue.take(place, (route, claimant) => {
      if (scarce && isOverShare(backend, holderOf(claimant), now)) return false;
      return route.isFit(point, now);
    });
    if (waiter === undefined) return false;
    point.promised++;
    this.#promised++;
    waiter.value.grant(point);
    return true;
  }

  #arm(now: number): void {
    const at = Math.min(now + LOOK_MS, this.#queue.nextDeadline ?? Number.POSITIVE_INFINITY, this.#endsAt);
    if (this.#timer !== undefined && this.#timerAt <= at) return;
    clearTimeout(this.#timer);
    this.#timerAt = at;
    this.#timer = setTimeout(this.#tick, Math.max(1, Math.ceil(at - now))).unref();
  }

  readonly #tick = (): void => {
    this.#timer = undefined;
    const now = this.#options.now();
    const isOver = now >= this.#endsAt;
    const until = isOver ? Number.POSITIVE_INFINITY : now;
    for (let late = this.#queue.expire(until); late !== undefined; late = this.#queue.expire(until)) {
      const standpoint = this.#standpointOf(late.value, now);
      this.#turnAway(late.value, this.#reasonFor(late.value, "max_wait", standpoint, now), standpoint);
    }
    for (const lane of this.#lanes) {
      if (lane.flows.size === 0) this.#lanes.delete(lane);
      else if (lane.tag.isUnfit(now)) this.#release(lane);
      else this.#expect(lane, now);
    }
    this.#look(now);
    if (this.#queue.size > 0) this.#arm(now);
  };

  /** None of their backends can be tried any more: an attempt, or the word that none can be made, is their answer. */
  #release(lane: Lane<Ticket, Route>): void {
    for (let waiter = this.#queue.takeFrom(lane); waiter !== undefined; waiter = this.#queue.takeFrom(lane))
      waiter.value.grant(undefined);
  }

  #crowdOut(ticket: Ticket, now: number): void {
    const { team } = ticket.claimant;
    const reason = this.#queue.backlogOf(team) > 0 ? "team_backlog" : "queue_full";
    this.#turnAway(ticket, reason, this.#standpointOf(ticket, now));
  }

  /** Is it its own team's backlog that is in the way? */
  #reasonFor(
    { lane, claimant, maxWaitMs }: Ticket,
    otherwise: TurnedAwayReason,
    { own }: Standpoint,
    now: number,
  ): TurnedAwayReason {
    if (now >= this.#endsAt) return "shutdown";
    if (own === 0) return otherwise;
    const { before } = this.#queue.positionOf(lane, claimant, true);
    return this.#expectedMs(lane, before, now) <= maxWaitMs ? "team_backlog" : otherwise;
  }

  /** Where one that comes now, of the same team, would stand. */
  #standpointOf({ lane, claimant, maxWaitMs }: Ticket, now: number): Standpoint {
    const { before, own } = this.#queue.positionOf(lane, claimant);
    const expectedMs = this.#expectedMs(lane, before, now);
    return { team: claimant.team, model: lane.tag.model, before, own, expectedMs, maxWaitMs };
  }

  #expectedMs({ tag }: Lane<Ticket, Route>, before: number, now: number): number {
    let perMs = 0;
    for (const point of tag.points) perMs += 1 / Math.max(0.01, point.intervalMs(now));
    return (before + 1) / perMs;
  }

  #turnAway(ticket: Ticket, reason: TurnedAwayReason, standpoint: Standpoint): void {
    this.#options.onTurnedAway(reason);
    ticket.turnAway(turnedAway(reason, standpoint));
  }
}
