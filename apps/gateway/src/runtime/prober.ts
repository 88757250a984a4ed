import type { BackendRuntime } from "./backend-runtime.ts";

/** Probes backends in the background, each at its own interval, never two probes of one at a time. */
export interface Prober {
  /** Begins with every backend that is not probed yet, and stops with those that left. */
  follow(backends: Iterable<BackendRuntime>): void;
  /** Resolves when every backend followed now has been probed once. */
  readonly first: Promise<void>;
  stop(): void;
}

/** While a backend is down it is looked at more often than at its interval, but at most this often. */
const DOWN_INTERVAL_MS = 1000;

/** A prober; its timers do not keep the process alive. */
export function createProber(onProbed: (backend: BackendRuntime) => void): Prober {
  const followed = new Map<BackendRuntime, { timer?: NodeJS.Timeout; first: Promise<void> }>();

  async function round(backend: BackendRuntime): Promise<void> {
    await backend.probe();
    const entry = followed.get(backend);
    if (entry === undefined) return;
    onProbed(backend);
    const { intervalMs } = backend.config.probe;
    const wait = backend.state.health.status === "ready" ? intervalMs : Math.min(intervalMs, DOWN_INTERVAL_MS);
    entry.timer = setTimeout(() => void round(backend), wait * (0.9 + 0.2 * Math.random()));
    entry.timer.unref();
  }

  return {
    follow(backends) {
      const now = new Set(backends);
      for (const [backend, { timer }] of followed) {
        if (now.has(backend)) continue;
        clearTimeout(timer);
        followed.delete(backend);
      }
      for (const backend of now) {
        if (followed.has(backend)) continue;
        const entry = { first: Promise.resolve() };
        followed.set(backend, entry);
        entry.first = round(backend);
      }
    },
    get first() {
      return Promise.all([...followed.values()].map(({ first }) => first)).then(() => undefined);
    },
    stop() {
      for (const { timer } of followed.values()) clearTimeout(timer);
      followed.clear();
    },
  };
}
