import {
  type Claimant,
  type DeploymentState,
  type Holder,
  Lane,
  type Model,
  type ModelLoad,
  standingOf,
} from "@signalbox/router";
import type { QueueConfig } from "../config/config.ts";
import type { Admission } from "./admission.ts";
import { type Point, Route } from "./point.ts";
import type { Ticket } from "./ticket.ts";

export interface EntranceOptions {
  readonly admission: Admission;
  readonly queue: QueueConfig;
  /** By the id of the deployment. */
  readonly states: ReadonlyMap<string, DeploymentState>;
  now(): number;
}

/** The way of one config's requests to their backends, and to the queue before them. */
export class Entrance {
  readonly #options: EntranceOptions;
  /** By the ids of their deployments. */
  readonly #lanes = new Map<string, Lane<Ticket, Route>>();

  constructor(options: EntranceOptions) {
    this.#options = options;
  }

  /**
   * May a request go on to its backends at once? So it may where one of them has room, and where none could be tried even if
   * it had: then the attempts will say so. Allocates nothing.
   */
  isOpen(chain: readonly Model[], holder: Holder): boolean {
    if (this.#options.queue.maxWaiting === 0) return true;
    const now = this.#options.now();
    let load: ModelLoad = "unfit";
    for (const model of chain) {
      const one = this.#loadOf(model, holder, now);
      if (one === "free") return true;
      if (one === "saturated") load = one;
    }
    return load === "unfit";
  }

  /** A place in the queue, for a request that may not go on at once. `cost`: estimated tokens. */
  join(chain: readonly Model[], claimant: Claimant, cost: number): Ticket {
    const { admission, queue } = this.#options;
    return admission.join(this.#laneOf(chain), { ...claimant, cost: Math.max(1, cost) }, queue);
  }

  /** How much room a model's own backends have for anyone. */
  readonly loadOf = (model: Model): ModelLoad => this.#loadOf(model, undefined, this.#options.now());

  #loadOf({ deployments }: Model, holder: Holder | undefined, now: number): ModelLoad {
    const { admission, states } = this.#options;
    let load: ModelLoad = "unfit";
    for (const { id } of deployments) {
      const state = states.get(id)!;
      const standing = standingOf(state, now);
      if (standing === "unfit") continue;
      if (standing === "open" && admission.hasRoom(state.backend, holder, now)) return "free";
      load = "saturated";
    }
    return load;
  }

  #laneOf(chain: readonly Model[]): Lane<Ticket, Route> {
    // By deployments: a team whose data stays local reaches fewer of them by the same names.
    const key = chain.flatMap(({ deployments }) => deployments.map(({ id }) => id)).join(" ");
    let lane = this.#lanes.get(key);
    if (lane === undefined) {
      lane = this.#newLane(chain);
      this.#lanes.set(key, lane);
    }
    return lane;
  }

  #newLane(chain: readonly Model[]): Lane<Ticket, Route> {
    const byPoint = new Map<Point, DeploymentState[]>();
    for (const { id } of chain.flatMap(({ deployments }) => deployments)) {
      const state = this.#options.states.get(id)!;
      const point = this.#options.admission.pointOf(state.backend);
      const known = byPoint.get(point);
      if (known === undefined) byPoint.set(point, [state]);
      else known.push(state);
    }
    const route = new Route(chain[0]!.name, byPoint);
    const places = route.points.map(({ place }) => place);
    return new Lane(places, route);
  }
}
