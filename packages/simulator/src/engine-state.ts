import type { ModelStore } from "./model-store.ts";
import type { SimulatorOptions } from "./options.ts";

/** What an engine knows of itself; its probe and load endpoints read it. */
export interface EngineState {
  readonly options: SimulatorOptions;
  readonly models: ModelStore;
  /** Requests being worked on now. */
  running(): number;
  /** Requests that wait for a slot. */
  waiting(): number;
  readonly slots: number;
  /** Tokens that a request may have, prompt and answer. */
  readonly context: number;
  /** Unix seconds. */
  readonly startedAt: number;
  readonly totals: { promptTokens: number; generatedTokens: number; requests: number };
  /** The server is stopping: probes say so. */
  stopping: boolean;
  url(): string;
}

/** Share of the KV cache in use (0 to 1), as the running requests fill it. */
export function kvUse(state: EngineState): number {
  return Math.min(1, Math.round((state.running() / Math.max(1, state.slots)) * 800) / 1000);
}
