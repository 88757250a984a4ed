import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, loadavg, release, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type Contender, type RunningContender, startIn } from "./contenders.ts";
import type { LoadJob, LoadResult } from "./load.ts";
import { accepts, cpuMicroseconds, freePort, start, stop, waitFor, whyNotPinned } from "./processes.ts";
import { median, ratioOf, table } from "./rounds.ts";
import type { Pace } from "./upstream.ts";

const awakeScript = fileURLToPath(import.meta.resolve("./awake.ts"));

/** What was asked for on the command line. */
export interface Options {
  readonly json: string | undefined;
  readonly quick: boolean;
  readonly gate: boolean;
  readonly glued: boolean;
  readonly awake: boolean;
  readonly rounds: number;
  /** Where limits are counted. */
  readonly store: "memory" | "redis";
  readonly profile: string | undefined;
  /** Share of the requests that are traced, in a contender of its own; undefined = there is none. */
  readonly trace: number | undefined;
}

const usage = `
  --quick        a short version: fewer rounds, less exact
  --rounds N     rounds instead of 5 (3 with --quick)
  --glued        streams: measure events that come four at a time, too
  --store redis  requests: count limits in a Redis instead of in the process
  --profile DIR  requests: write a CPU profile of the gateway, which makes it dearer
  --trace SHARE  requests: also with traces of so many of them, 0 to 1, beside a gateway that traces nothing
  --awake        requests: load and upstream never sleep, so that no contender pays for waking them up
  --json FILE    write the figures to a file
  --gate         exit with 1 where a limit is not kept`;

/** Reads the command line of a bench. Ends the process with the usage at an unknown option. */
export function readOptions(): Options {
  try {
    const { values } = parseArgs({
      options: {
        json: { type: "string" },
        quick: { type: "boolean", default: false },
        gate: { type: "boolean", default: false },
        glued: { type: "boolean", default: false },
        awake: { type: "boolean", default: false },
        rounds: { type: "string" },
        profile: { type: "string" },
        trace: { type: "string" },
        store: { type: "string", default: "memory" },
      },
      // `pnpm bench:overhead -- --quick` hands the dashes on.
      args: process.argv.slice(2).filter((argument) => argument !== "--"),
    });
    const rounds = Number(values.rounds ?? (values.quick ? 3 : 5));
    if (!Number.isInteger(rounds) || rounds < 1) throw new Error("--rounds is a whole number of at least 1");
    const { store } = values;
    if (store !== "memory" && store !== "redis") throw new Error("--store is memory or redis");
    const trace = values.trace === undefined ? undefined : Number(values.trace);
    if (trace !== undefined && !(trace > 0 && trace <= 1)) throw new Error("--trace is a share above 0, at most 1");
    return {
      trace,
      store,
      profile: values.profile,
      json: values.json,
      quick: values.quick,
      gate: values.gate,
      glued: values.glued,
      awake: values.awake,
      rounds,
    };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n${usage}`);
    process.exit(2);
  }
}

/** Load generator and upstream at work on their core. */
export interface Harness {
  readonly upstreamPort: number;
  /** A temporary folder, gone when the bench ends. */
  readonly folder: string;
  /** Has the load generator do something. @throws Error that says what the first wrong answer was. */
  load(job: LoadJob): Promise<void>;
  /** How the upstream paces the streams that begin from now on. */
  pace(pace: Pace): void;
}

/** Runs a bench; every process and file it made is gone afterwards. A failure ends the process with 1 and a message. */
export async function runBench(
  name: string,
  bench: (harness: Harness) => Promise<void>,
  { awake = false }: { readonly awake?: boolean } = {},
): Promise<void> {
  if (process.platform !== "linux") {
    console.error(`${name}: CPU time is read from /proc, so this bench needs Linux`);
    process.exit(1);
  }
  const folder = mkdtempSync(join(tmpdir(), "signalbox-bench-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  console.log(`${name} on ${machine()}, Node ${process.version}`);
  const problem = whyNotPinned();
  console.log(problem === undefined ? "measured on core 0, load and upstream on core 1" : `NOT PINNED: ${problem}`);
  try {
    await bench(await startHarness(folder, awake));
  } catch (error) {
    console.error(`${name} failed: ${error instanceof Error ? error.message : error}`);
    printLogs(folder);
    process.exit(1);
  }
  process.exit();
}

/** What the contenders said last: the folder is gone in a moment. */
function printLogs(folder: string): void {
  for (const file of globSync("*/*.log", { cwd: folder })) {
    const lines = readFileSync(join(folder, file), "utf8").trimEnd().split("\n");
    console.error(`\n${file} ends with\n${lines.slice(-12).join("\n")}`);
  }
}

/** Starts load generator and upstream; `stop` ends them, as the end of this process does. `folder` is the caller's. */
export async function startHarness(folder: string, awake = false): Promise<Harness & { stop(): Promise<void> }> {
  const upstreamPort = await freePort();
  const upstream = startOther(awake ? awakeScript : "upstream.ts", String(upstreamPort));
  const generator = awake ? upstream : startOther("load.ts");
  const ended = Promise.race([endOf("upstream", upstream), endOf("load generator", generator)]);
  ended.catch(() => undefined);
  await waitFor("upstream", upstream, () => accepts(upstreamPort));
  return {
    upstreamPort,
    folder,
    async load(job) {
      const answer = once(generator, "message");
      generator.send(job);
      const [result] = (await Promise.race([answer, ended])) as [LoadResult];
      if (result.failure !== undefined) throw new Error(result.failure);
    },
    pace: (pace) => upstream.send(pace),
    async stop() {
      await Promise.all([stop(upstream), stop(generator)]);
    },
  };
}

function startOther(file: string, ...args: string[]): ChildProcess {
  const command = [process.execPath, resolve(import.meta.dirname, file), ...args];
  return start("others", command, ["ignore", "inherit", "inherit", "ipc"]);
}

async function endOf(name: string, child: ChildProcess): Promise<never> {
  const [code] = await once(child, "exit");
  throw new Error(`the ${name} ended with code ${code}`);
}

/** Starts those that can run here; prints why the others cannot. @throws Error when one that is needed cannot. */
export async function startContenders(
  harness: Harness,
  contenders: readonly Contender[],
): Promise<Map<Contender["name"], RunningContender>> {
  const running = new Map<Contender["name"], RunningContender>();
  for (const contender of contenders) {
    if (contender.whyNot === undefined) {
      running.set(contender.name, await startIn(harness.folder, contender, harness.upstreamPort));
    } else if (contender.name === "nginx") {
      console.log(`nginx is left out: ${contender.whyNot}`);
    } else {
      throw new Error(contender.whyNot);
    }
  }
  return running;
}

/** CPU microseconds that a contender spent while `work` went on, and on what it still had to do just after. */
export async function cpuOf(contender: RunningContender, work: () => Promise<void>): Promise<number> {
  const before = cpuMicroseconds(contender.pid);
  await work();
  await sleep(100);
  return cpuMicroseconds(contender.pid) - before;
}

/** Prints each contender's median, what that is in the measure of the bare one, and its range. */
export function printFigures(
  title: string,
  contenders: readonly Contender[],
  figures: Partial<Record<Contender["name"], readonly number[]>>,
): void {
  const bare = figures.bare!;
  const rows = contenders.flatMap(({ name, title }) => {
    const values = figures[name];
    if (values === undefined) return [];
    return [[title, median(values).toFixed(1), ratioOf(values, bare).toFixed(2), range(values)]];
  });
  console.log(`\n${table([[title, "median", "x bare", "lowest to highest"], ...rows])}\n`);
}

function range(values: readonly number[]): string {
  return `${Math.min(...values).toFixed(1)} to ${Math.max(...values).toFixed(1)}`;
}

/** Writes the figures of a bench, with where and when they were measured. */
export function writeJson(file: string | undefined, figures: Record<string, unknown>): void {
  if (file === undefined) return;
  const all = { ...figures, machine: machine(), node: process.version, date: new Date().toISOString() };
  writeFileSync(file, `${JSON.stringify(all, null, 2)}\n`);
  console.log(`written to ${file}`);
}

/** The machine in a few words, with its load: other work on it makes figures worse and less steady. */
export function machine(): string {
  return `${host()}, ${whyNotPinned() === undefined ? "pinned" : "not pinned"}`;
}

/** The same of a run that pins nothing. */
export function host(): string {
  const [cpu] = cpus();
  return `${cpus().length} x ${cpu?.model.trim() ?? "unknown CPU"}, Linux ${release()}, load ${loadavg()[0]!.toFixed(1)}`;
}
