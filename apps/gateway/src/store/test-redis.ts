import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { findFreePort } from "../demo/free-port.ts";

const HOST = "127.0.0.1";
/** Another program may take a port between its being found free and Redis listening there. */
const START_TRIES = 5;
const READY_MS = 10_000;
const MISSING = "these tests need redis-server on PATH (apt-get install redis-server)";

/** A Redis that a test may use, but not hurt. */
export interface FoundRedis {
  /** `redis://127.0.0.1:PORT`, or what `REDIS_URL` says. */
  readonly url: string;
  /** Others may use it too: a test keeps to a prefix of its own. */
  readonly shared: boolean;
  close(): Promise<void>;
}

/** A redis-server process that belongs to one test. */
export interface TestRedis extends FoundRedis {
  readonly port: number;
  /** Ends the process with SIGKILL; the port refuses connections when it resolves. */
  kill(): Promise<void>;
  /** Stops the process with SIGSTOP: connections stay, and get no answer. */
  freeze(): void;
  thaw(): void;
  /** A new process on the same port, after `kill` if it still runs; with the data of a `persistent` one unless `empty`. */
  restart(options?: { readonly empty?: boolean }): Promise<void>;
}

export interface TestRedisOptions {
  /** Keeps its data over `kill` and `restart`; it does not unless asked. */
  readonly persistent?: boolean;
  /** More words of its command line, such as `--requirepass`, `secret`. */
  readonly args?: readonly string[];
}

/**
 * The Redis of a test that hurts nobody: `REDIS_URL` if set, else a redis-server of its own.
 * @throws Error that says how to get one.
 */
export async function findRedis(): Promise<FoundRedis> {
  const url = process.env.REDIS_URL;
  return url ? { url, shared: true, close: async () => {} } : startRedis();
}

/**
 * Starts a redis-server on a free port of the loopback, in a folder of its own. It ends with this process, however that ends.
 * @throws Error that says how to get one.
 */
export async function startRedis(options: TestRedisOptions = {}): Promise<TestRedis> {
  return startOwned((folder, port) => startServer(folder, port, options));
}

type Start = (folder: string, port: number) => Promise<RunningServer>;

async function startOwned(start: Start): Promise<TestRedis> {
  const folder = mkdtempSync(path.join(tmpdir(), "signalbox-redis-"));
  const { running: first, port } = await startOnFreePort(folder, start);
  let running: RunningServer | undefined = first;
  const kill = async (): Promise<void> => {
    await running?.end();
    running = undefined;
  };
  return {
    url: `redis://${HOST}:${port}`,
    shared: false,
    port,
    kill,
    freeze: () => running?.signal("SIGSTOP"),
    thaw: () => running?.signal("SIGCONT"),
    async restart({ empty = false } = {}) {
      await kill();
      if (empty) rmSync(path.join(folder, "appendonlydir"), { recursive: true, force: true });
      running = await start(folder, port);
    },
    async close() {
      await kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function startOnFreePort(
  folder: string,
  start: Start,
): Promise<{ readonly running: RunningServer; readonly port: number }> {
  for (let tries = 1; ; tries++) {
    const { port } = await findFreePort(0);
    try {
      return { running: await start(folder, port), port };
    } catch (error) {
      if (tries < START_TRIES && String(error).includes("in use")) continue;
      rmSync(folder, { recursive: true, force: true });
      throw error;
    }
  }
}

/** A redis-server that takes commands. */
interface RunningServer {
  signal(name: NodeJS.Signals): void;
  /** Resolves when the process has ended. */
  end(): Promise<void>;
}

function startServer(folder: string, port: number, options: TestRedisOptions): Promise<RunningServer> {
  const { persistent = false, args = [] } = options;
  const base = ["--port", String(port), "--bind", HOST, "--dir", folder, "--save", "", "--daemonize", "no"];
  // What was written to the file is there after SIGKILL, synced or not: it is the machine that must not fail.
  const data = persistent ? ["--appendonly", "yes", "--appendfsync", "no"] : ["--appendonly", "no"];
  return startProcess(["redis-server", ...base, ...data, ...args], port);
}

/** Starts a Sentinel; `lines` is its config beside the port. */
export async function startSentinelProcess(lines: readonly string[]): Promise<TestRedis> {
  return startOwned(async (folder, port) => {
    const file = path.join(folder, "sentinel.conf");
    // It writes what it learns into its file, and reads it when it comes back.
    if (!existsSync(file))
      writeFileSync(file, [`port ${port}`, `bind ${HOST}`, `dir ${folder}`, ...lines, ""].join("\n"));
    return startProcess(["redis-server", file, "--sentinel"], port);
  });
}

/**
 * A shell stands between: it ends the server when its own input closes, which happens also when this process is killed.
 * A frozen server ends by that, too.
 */
const KEEPER = '"$@" </dev/null & server=$!; echo "pid $server"; cat >/dev/null; kill -9 $server; wait $server';

async function startProcess(command: readonly string[], port: number): Promise<RunningServer> {
  const keeper = spawn("/bin/sh", ["-c", KEEPER, "keeper", ...command], { stdio: ["pipe", "pipe", "pipe"] });
  let output = "";
  keeper.stdout.on("data", (chunk: Buffer) => {
    output = (output + chunk).slice(0, 20_000);
  });
  keeper.stderr.on("data", (chunk: Buffer) => {
    output = (output + chunk).slice(0, 20_000);
  });
  const ended = new Promise<void>((resolve) => keeper.once("close", () => resolve()));
  const end = (): Promise<void> => {
    keeper.stdin.end();
    return ended;
  };
  try {
    await untilReady(port, keeper, () => output);
  } catch (error) {
    await end();
    throw error;
  }
  const pid = Number(/^pid (\d+)$/m.exec(output)?.[1]);
  return { signal: (name) => void process.kill(pid, name), end };
}

async function untilReady(port: number, keeper: ChildProcess, output: () => string): Promise<void> {
  const deadline = performance.now() + READY_MS;
  for (;;) {
    const said = output();
    if (/not found/.test(said)) throw new Error(MISSING);
    if (/Address already in use|Failed listening/.test(said)) throw new Error(`port ${port} is in use`);
    // Only its own word counts: another program may be the one that answers on the port.
    if (/Ready to accept connections|Sentinel ID is/i.test(said) && (await answers(port))) return;
    if (keeper.exitCode !== null || performance.now() > deadline)
      throw new Error(`redis-server did not start on port ${port}: ${said.trim().slice(-1000)}`);
    await sleep(5);
  }
}

/** True when somebody answers a PING there, be it with an error. */
export function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, HOST, () => socket.write("PING\r\n"));
    const done = (answered: boolean): void => {
      socket.destroy();
      resolve(answered);
    };
    socket.once("data", () => done(true));
    socket.once("error", () => done(false));
    socket.once("close", () => done(false));
    socket.setTimeout(500, () => done(false));
  });
}
