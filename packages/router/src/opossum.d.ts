// opossum ships no types. Only what breaker.ts uses is declared.
declare module "opossum" {
  import type { EventEmitter } from "node:events";

  interface Options {
    name?: string;
    timeout?: number | false;
    resetTimeout?: number;
    rollingCountTimeout?: number;
    rollingCountBuckets?: number;
    rollingPercentilesEnabled?: boolean;
    enableSnapshots?: boolean;
    /** Emits `rotate` when the window moves on by one bucket; without it opossum runs a timer. */
    rotateBucketController?: EventEmitter;
  }

  export default class CircuitBreaker extends EventEmitter {
    constructor(action: () => Promise<void>, options: Options);
    readonly closed: boolean;
    /** Counts of the rolling window. */
    readonly stats: { readonly fires: number; readonly failures: number };
    open(): void;
    close(): void;
    shutdown(): void;
  }
}
