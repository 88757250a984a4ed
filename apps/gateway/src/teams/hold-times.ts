import type { Quota } from "./quota.ts";

/** Quotas that are remembered; the rest begin anew. */
const MAX_REMEMBERED = 10_000;

/** How long requests held their slots of late, as this process saw it. */
export class HoldTimes {
  readonly #byId = new Map<string, number>();

  /** Milliseconds; 0 = not known yet. */
  of({ id }: Quota): number {
    return this.#byId.get(id) ?? 0;
  }

  note({ id }: Quota, ms: number): void {
    const before = this.#byId.get(id);
    if (before === undefined && this.#byId.size >= MAX_REMEMBERED) this.#byId.clear();
    this.#byId.set(id, before === undefined ? ms : before * 0.9 + ms * 0.1);
  }
}
