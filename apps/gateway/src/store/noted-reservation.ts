import type { Reservation, Used } from "../teams/limits.ts";

/** Counted in Redis, and noted here for the day when that is away. */
export class NotedReservation implements Reservation {
  readonly #shared: Reservation;
  readonly #noted: Reservation;

  constructor(shared: Reservation, noted: Reservation) {
    this.#shared = shared;
    this.#noted = noted;
  }

  settle(used: Used): void {
    this.#noted.settle(used);
    this.#shared.settle(used);
  }

  release(): void {
    this.#noted.release();
    this.#shared.release();
  }
}
