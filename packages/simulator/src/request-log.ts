/** One request that the simulator saw. */
export interface LogEntry {
  readonly id: number;
  readonly method: string;
  readonly path: string;
  /** Milliseconds since the Unix epoch. */
  readonly at: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly headBytes: number;
  readonly bodyBytes: number;
  /** The body as it came, when it has at most 64 KiB. */
  readonly body: Buffer | undefined;
  model?: string;
  stream?: boolean;
  /** Status sent; missing when no head was sent. */
  status?: number;
  /** The fault that had a hand in the answer. */
  fault?: string;
  /** Tokens sent so far. */
  tokensSent: number;
  endedAt?: number;
  /** When the client left before the end. */
  abortedAt?: number;
}

/** Totals since the start or the last reset. */
export interface SimulatorStats {
  requests: number;
  /** Inference requests among them. */
  inference: number;
  aborted: number;
  faulted: number;
  tokensSent: number;
  /** Most requests worked on at once. */
  peakRunning: number;
}

export interface RequestLog {
  /** The latest entries, oldest first. */
  readonly entries: readonly LogEntry[];
  readonly stats: SimulatorStats;
  add(entry: Omit<LogEntry, "id" | "at" | "tokensSent">): LogEntry;
  clear(): void;
}

const emptyStats = (): SimulatorStats => ({
  requests: 0,
  inference: 0,
  aborted: 0,
  faulted: 0,
  tokensSent: 0,
  peakRunning: 0,
});

/** Keeps the last `limit` requests and totals of all. */
export function createRequestLog(limit = 1000): RequestLog {
  const entries: LogEntry[] = [];
  const stats = emptyStats();
  let next = 1;
  return {
    entries,
    stats,
    add: (given) => {
      const entry: LogEntry = { id: next, at: Date.now(), tokensSent: 0, ...given };
      next += 1;
      stats.requests += 1;
      entries.push(entry);
      if (entries.length > limit * 2) entries.splice(0, entries.length - limit);
      return entry;
    },
    clear: () => {
      entries.length = 0;
      Object.assign(stats, emptyStats());
    },
  };
}
