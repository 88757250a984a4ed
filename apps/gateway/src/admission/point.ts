import { type BackendState, type DeploymentState, Place } from "@signalbox/router";
import { ServiceRate } from "./service-rate.ts";
import type { Ticket } from "./ticket.ts";

/** A backend as those see it who wait for it. */
export class Point {
  readonly backend: BackendState;
  readonly place = new Place<Ticket, Route>();
  readonly rate = new ServiceRate();
  /** Slots that are promised to requests which have not begun yet. */
  promised = 0;

  constructor(backend: BackendState) {
    this.backend = backend;
  }

  /** Mean milliseconds until its next slot is free: as seen, or else as its replies take. */
  intervalMs(now: number): number {
    const { replyMs, inFlight } = this.backend;
    return this.rate.intervalMs(now) ?? replyMs / Math.max(1, inFlight);
  }
}

/** The deployments of a chain of models, by the points where their slots are. */
export class Route {
  /** For messages: the first model. */
  readonly model: string;
  readonly points: readonly Point[];
  readonly #states: ReadonlyMap<Point, readonly DeploymentState[]>;

  constructor(model: string, states: ReadonlyMap<Point, readonly DeploymentState[]>) {
    this.model = model;
    this.points = [...states.keys()];
    this.#states = states;
  }

  /** May one of its deployments at this point be tried? */
  isFit(point: Point, now: number): boolean {
    return this.#states.get(point)!.some((state) => state.unfit(now) === undefined);
  }

  /** Could one be tried, if only there were room, and no other can? */
  isFull(now: number): boolean {
    let full = false;
    for (const states of this.#states.values())
      for (const state of states) {
        const why = state.unfit(now);
        if (why === undefined) return false;
        if (why === "full") full = true;
      }
    return full;
  }

  /** Is there none that could be tried, however much room there were? */
  isUnfit(now: number): boolean {
    for (const states of this.#states.values())
      for (const state of states) {
        const why = state.unfit(now);
        if (why === undefined || why === "full") return false;
      }
    return true;
  }
}
