/** The models of one engine and which of them are in memory. */
export interface ModelStore {
  readonly names: readonly string[];
  isLoaded(name: string): boolean;
  isLoading(name: string): boolean;
  /** Requests that wait for this model. */
  waiting(name: string): number;
  /** Names in memory, in the order of loading. */
  loaded(): readonly string[];
  /** Resolves when the model is in memory; a load that everyone gave up on is aborted and begins anew. */
  load(name: string, onGiveUp?: (giveUp: () => void) => void): Promise<void>;
  unload(name: string): void;
  /** Loads that were aborted because nobody waited for them any more. */
  abortedLoads(): number;
  /** Forgets what is in memory (the engine restarted). */
  reset(): void;
}

interface Loading {
  readonly timer: NodeJS.Timeout;
  readonly waiters: Set<{ resolve(): void; reject(error: Error): void }>;
}

/** Keeps the loading state of models; a load takes `loadMs` of real time (0 = done at once). */
export function createModelStore(names: readonly string[], loadMs: number): ModelStore {
  const inMemory = new Set<string>();
  const loads = new Map<string, Loading>();
  let aborted = 0;
  const begin = (name: string): Loading => {
    const waiters: Loading["waiters"] = new Set();
    const timer = setTimeout(() => {
      loads.delete(name);
      inMemory.add(name);
      for (const waiter of waiters) waiter.resolve();
    }, loadMs);
    timer.unref();
    const loading = { timer, waiters };
    loads.set(name, loading);
    return loading;
  };
  return {
    names,
    isLoaded: (name) => inMemory.has(name),
    isLoading: (name) => loads.has(name),
    waiting: (name) => loads.get(name)?.waiters.size ?? 0,
    loaded: () => [...inMemory],
    load: (name, onGiveUp) => {
      if (inMemory.has(name)) return Promise.resolve();
      if (loadMs === 0) {
        inMemory.add(name);
        return Promise.resolve();
      }
      const loading = loads.get(name) ?? begin(name);
      return new Promise((resolve, reject) => {
        const waiter = { resolve, reject };
        loading.waiters.add(waiter);
        onGiveUp?.(() => {
          loading.waiters.delete(waiter);
          reject(new Error(`the load of ${name} was given up`));
          if (loading.waiters.size > 0 || loads.get(name) !== loading) return;
          clearTimeout(loading.timer);
          loads.delete(name);
          aborted += 1;
        });
      });
    },
    unload: (name) => {
      inMemory.delete(name);
    },
    abortedLoads: () => aborted,
    reset: () => {
      inMemory.clear();
      for (const loading of loads.values()) clearTimeout(loading.timer);
      loads.clear();
    },
  };
}
