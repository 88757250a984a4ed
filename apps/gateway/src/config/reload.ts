import { type FSWatcher, watch } from "node:fs";
import { realpath } from "node:fs/promises";
import path from "node:path";
import { wordsOf } from "../runtime/words-of.ts";
import type { Config } from "./config.ts";
import { type LoadOptions, type LoadResult, loadConfigFile } from "./load.ts";
import type { ConfigError } from "./problems.ts";

/** What came of a reload. When it failed, the config before it stays in force. */
export type ReloadEvent =
  | {
      readonly ok: true;
      readonly hash: string;
      /** False when the files hold what is in force already (told after `reload` and SIGHUP only). */
      readonly changed: boolean;
      /** Settings that changed and are only read at start. */
      readonly needsRestart: readonly string[];
    }
  | {
      readonly ok: false /** Of the config that stays in force. */;
      readonly hash: string;
      readonly errors: readonly ConfigError[];
    };

export interface WatchOptions {
  readonly path: string;
  readonly env: LoadOptions["env"];
  /** The config in force, from the same path. */
  readonly current: Config;
  /** Puts a new config in force, whole and at once. Called with valid configs only, one after the other. */
  readonly onChange: (config: Config) => void | Promise<void>;
  readonly onEvent?: (event: ReloadEvent) => void;
  /** Where SIGHUP comes from; `process` unless given. */
  readonly signals?: SignalSource;
  /** Milliseconds from the first sign of a change to the reading, so that a file that is being written is read once. */
  readonly settleMs?: number;
  /** Milliseconds between looks at the file where the system cannot tell of changes. */
  readonly pollMs?: number;
  readonly timers?: Timers;
}

export interface SignalSource {
  on(signal: "SIGHUP", listener: () => void): unknown;
  off(signal: "SIGHUP", listener: () => void): unknown;
}

interface Timers {
  set(run: () => void, ms: number): unknown;
  clear(timer: unknown): void;
}

export interface ConfigWatcher {
  /** The config in force. */
  readonly current: Config;
  /** Reads the file now. Never rejects. */
  reload(): Promise<ReloadEvent>;
  /** Stops watching and waits for a reload under way; after it nothing is called any more. */
  close(): Promise<void>;
}

const systemTimers: Timers = {
  set: (run, ms) => setTimeout(run, ms).unref(),
  clear: (timer) => clearTimeout(timer as NodeJS.Timeout),
};

/**
 * Reloads a config when its file changes, when a file that it names does, and on SIGHUP. Only a config without errors
 * replaces the one in force. Folders are watched rather than files, which survives editors that replace a file and
 * Kubernetes, which swaps a link; what was read decides, so that a touch without a change does nothing. Never throws.
 */
export function watchConfig(options: WatchOptions): ConfigWatcher {
  const { settleMs = 100, pollMs = 2000, timers = systemTimers, signals = process, onEvent = () => {} } = options;
  const folders = createFolderWatch(scheduleReload, pollMs, timers);
  let current = options.current;
  let told = `ok ${current.hash}`;
  let timer: unknown;
  let closed = false;
  let last: Promise<unknown> = Promise.resolve();

  function scheduleReload(): void {
    if (closed || timer !== undefined) return;
    timer = timers.set(() => {
      timer = undefined;
      void enqueue(false);
    }, settleMs);
  }

  /** One at a time, in the order they were asked for. */
  function enqueue(asked: boolean): Promise<ReloadEvent> {
    const next = last.then(() => reloadOnce(asked));
    last = next;
    return next;
  }

  async function reloadOnce(asked: boolean): Promise<ReloadEvent> {
    if (closed) return { ok: true, hash: current.hash, changed: false, needsRestart: [] };
    const result = await loadConfigFile(options.path, options.env);
    const event = await putInForce(result, current, options);
    if (event.ok && event.changed && result.ok) current = result.config;
    await folders.watch(options.path, current.files);
    const telling = event.ok ? `ok ${event.hash}` : `failed ${JSON.stringify(event.errors)}`;
    if (!closed && (asked || telling !== told)) quietly(() => onEvent(event));
    told = telling;
    return event;
  }

  const onSignal = () => void enqueue(true);
  signals.on("SIGHUP", onSignal);
  // What changed between the first reading and the watch's beginning is found by looking once.
  last = folders.watch(options.path, current.files).then(scheduleReload);

  return {
    get current() {
      return current;
    },
    reload: () => enqueue(true),
    async close() {
      closed = true;
      signals.off("SIGHUP", onSignal);
      if (timer !== undefined) timers.clear(timer);
      await last;
      folders.close();
    },
  };
}

/** Hands a good config over, when it is another than the one in force. */
async function putInForce(result: LoadResult, current: Config, options: WatchOptions): Promise<ReloadEvent> {
  const { hash } = current;
  if (!result.ok) return { ok: false, hash, errors: result.errors };
  const { config } = result;
  if (config.hash === hash) return { ok: true, hash, changed: false, needsRestart: [] };
  try {
    await options.onChange(config);
  } catch (error) {
    const message = `could not be put in force: ${wordsOf(error)}`;
    return { ok: false, hash, errors: [{ file: options.path, line: 1, column: 1, path: "", message }] };
  }
  return { ok: true, hash: config.hash, changed: true, needsRestart: restartKeys(current, config) };
}

const serverKeys = {
  listen: "listen",
  admin: "admin",
  log: "log",
  capture: "capture",
  audit_file: "auditFile",
  timeouts: "timeouts",
  max_connections: "maxConnections",
} as const;

/** Settings that a reload leaves as they are: what is made of them lives as long as the process. */
export const restartSettings: readonly string[] = [
  ...Object.keys(serverKeys).map((name) => `server.${name}`),
  "usage",
  "store",
];

function restartKeys(before: Config, after: Config): string[] {
  const differ = (one: unknown, other: unknown): boolean => JSON.stringify(one) !== JSON.stringify(other);
  return [
    ...Object.entries(serverKeys).flatMap(([name, key]) =>
      differ(before.server[key], after.server[key]) ? [`server.${name}`] : [],
    ),
    ...(differ(before.usage, after.usage) ? ["usage"] : []),
    ...(differ(partsOf(before.store), partsOf(after.store)) ? ["store"] : []),
  ];
}

/** A store with its secrets, for comparing. */
function partsOf(store: Config["store"]): unknown {
  return store === "memory" ? store : [store, store.password(), store.sentinelPassword(), store.tls()];
}

function quietly(run: () => void): void {
  try {
    run();
  } catch {
    // Who listens to events must not end the watch.
  }
}

interface FolderWatch {
  watch(file: string, others: readonly string[]): Promise<void>;
  close(): void;
}

/** Watches the folders of some files, and of what they are links to; polls where a folder cannot be watched. */
function createFolderWatch(onSign: () => void, pollMs: number, timers: Timers): FolderWatch {
  const watchers = new Map<string, FSWatcher>();
  /** Names in those folders that mean something; others (a log beside the file) change all the time. */
  let names = new Set<string>();
  let poll: unknown;
  let closed = false;

  function startPolling(): void {
    if (poll !== undefined || closed) return;
    poll = timers.set(() => {
      poll = undefined;
      onSign();
      startPolling();
    }, pollMs);
  }

  function add(folder: string): void {
    try {
      const watcher = watch(folder, { persistent: false }, (_event, name) => {
        // Kubernetes swaps a link whose name begins with two dots.
        if (name === null || names.has(name) || name.startsWith("..")) onSign();
      });
      watcher.on("error", () => {
        watchers.get(folder)?.close();
        watchers.delete(folder);
        startPolling();
      });
      watchers.set(folder, watcher);
    } catch {
      startPolling();
    }
  }

  return {
    async watch(file, others) {
      const wanted = new Set<string>();
      const known = new Set<string>();
      for (const each of [file, ...others]) {
        const real = await realpath(each).catch(() => each);
        for (const place of [path.resolve(each), path.resolve(real)]) {
          wanted.add(path.dirname(place));
          known.add(path.basename(place));
        }
      }
      if (closed) return;
      names = known;
      for (const [folder, watcher] of watchers) {
        if (wanted.has(folder)) continue;
        watcher.close();
        watchers.delete(folder);
      }
      for (const folder of wanted) if (!watchers.has(folder)) add(folder);
    },
    close() {
      closed = true;
      if (poll !== undefined) timers.clear(poll);
      for (const watcher of watchers.values()) watcher.close();
      watchers.clear();
    },
  };
}
