import type { Admission, Claim, Reservation } from "../teams/limits.ts";
import type { Waiting } from "./deadline-queue.ts";

/** A request that waits for the shared store's word. */
export interface Asked extends Waiting {
  readonly claim: Claim;
  /** What this replica's share has admitted of it already; undefined = the shared store's word is all that counts. */
  readonly own: Reservation | undefined;
  resolve(admission: Admission): void;
}
