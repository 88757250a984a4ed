import type { UsageEntry } from "./usage-entry.ts";

/** Where it is written down what each request used. */
export interface Ledger {
  /** Writes an entry down later, in the background. Costs the request a microsecond or two; never throws. */
  enter(entry: UsageEntry): void;
  /** Entries that were given up: nobody took them, and no more could wait. */
  readonly dropped: number;
  /** Resolves when all that was entered is written down, or is given up: for the end of a process. */
  close(): Promise<void>;
}
