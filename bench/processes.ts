import { type ChildProcess, execFileSync, type StdioOptions, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { availableParallelism } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";

/** Where a process runs: what is measured has a core to itself, load generator and upstream share the other; or on any core. */
export type Place = "measured" | "others" | "anywhere";

const coreOf = { measured: "0", others: "1" } as const;
const running = new Set<ChildProcess>();

/** Why processes cannot be pinned to cores here; undefined = they can. */
export function whyNotPinned(): string | undefined {
  if (availableParallelism() < 2) return "one core only: load and upstream share it with what is measured";
  if (!commandExists("taskset")) return "no taskset on PATH: the scheduler moves processes between cores";
  return undefined;
}

/** Is there such a program on PATH? */
export function commandExists(name: string): boolean {
  try {
    execFileSync("which", [name], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/** Starts a program in its place. It is killed when this process ends, however it ends. */
export function start(place: Place, command: readonly string[], stdio: StdioOptions): ChildProcess {
  const free = place === "anywhere" || whyNotPinned() !== undefined;
  const pinned = free ? command : ["taskset", "-c", coreOf[place], ...command];
  const [program, ...args] = pinned;
  // A group of its own, so that a program which has children of its own can be killed whole.
  const child = spawn(program!, args, { stdio, detached: true, env: { ...process.env, NODE_ENV: "production" } });
  child.on("error", (error) => {
    throw new Error(`${command.join(" ")}: ${error.message}`);
  });
  running.add(child);
  child.on("exit", () => running.delete(child));
  return child;
}

/** Asks a program to end, kills it after two seconds, and waits until it is gone. */
export async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill("SIGTERM");
  const timer = setTimeout(() => kill(child), 2_000);
  await gone;
  clearTimeout(timer);
  // Its children, if it left any behind.
  kill(child);
}

function kill(child: ChildProcess): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}

process.on("exit", () => {
  for (const child of running) kill(child);
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => process.exit(130));

/** A TCP port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no TCP port was given");
  return address.port;
}

/**
 * Resolves when `isReady` says so, asked every 50 ms.
 * @throws Error when the child ends first, or after 30 seconds; the message names `what`.
 */
export async function waitFor(what: string, child: ChildProcess, isReady: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 600; tries++) {
    if (await isReady()) return;
    if (child.exitCode !== null) throw new Error(`${what} ended with code ${child.exitCode} before it was ready`);
    await sleep(50);
  }
  throw new Error(`${what} was not ready within 30 seconds`);
}

/** Does something accept connections on this port? */
export function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => resolve(false));
    socket.on("connect", () => {
      socket.destroy();
      resolve(true);
    });
  });
}

/** The fields of one line of /proc/PID/stat that matter here; times in microseconds. */
export function parseStat(line: string): { readonly parent: number; readonly cpu: number } {
  // The program's name stands in parentheses and may hold spaces and parentheses itself: count from the last one.
  const fields = line.slice(line.lastIndexOf(")") + 2).split(" ");
  const ticks = Number(fields[11]) + Number(fields[12]);
  // Linux reports in ticks of USER_HZ, which is 100 on every architecture that Node runs on.
  return { parent: Number(fields[1]), cpu: ticks * 10_000 };
}

/** A process with all its living descendants, each with its CPU time in microseconds. */
function tree(pid: number): Map<number, number> {
  const stats = new Map<number, { parent: number; cpu: number }>();
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      stats.set(Number(entry), parseStat(readFileSync(`/proc/${entry}/stat`, "utf8")));
    } catch {
      // It ended between the listing and the reading.
    }
  }
  if (!stats.has(pid)) throw new Error(`process ${pid} has ended`);
  const found = new Map<number, number>();
  for (const [candidate, { cpu }] of stats) {
    let at: number | undefined = candidate;
    while (at !== undefined && at !== pid) at = stats.get(at)?.parent;
    if (at === pid) found.set(candidate, cpu);
  }
  return found;
}

/**
 * CPU time, user and system, of a process with all its threads and all its living descendants, in microseconds.
 * Steps of 10 ms. Linux only.
 */
export function cpuMicroseconds(pid: number): number {
  let total = 0;
  for (const cpu of tree(pid).values()) total += cpu;
  return total;
}

/** Resident memory of a process and all its living descendants in bytes. Linux only. */
export function residentBytes(pid: number): number {
  let total = 0;
  for (const member of tree(pid).keys()) {
    const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${member}/status`, "utf8"));
    total += Number(line?.[1] ?? 0) * 1024;
  }
  return total;
}
