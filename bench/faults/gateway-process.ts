import type { ChildProcess } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseStat, start } from "../processes.ts";
import { Scrape } from "./metrics.ts";

const main = fileURLToPath(import.meta.resolve("../../apps/gateway/src/main.ts"));
const PAGE_BYTES = 4096;
const KEPT_LINES = 5000;
const START_MS = 20_000;

/** No connection stays, which would be one of those that are counted. */
const once = { headers: { connection: "close" } };

/** One line of the gateway's log. */
type LogLine = Readonly<Record<string, unknown>>;

/** Delays of an event loop in milliseconds: the longest, and what 99 % were under. */
interface Lag {
  readonly maxMs: number;
  readonly p99Ms: number;
}

/** `signalbox serve` in a process of its own. */
export interface GatewayProcess {
  /** The public listener, `http://127.0.0.1:PORT`. */
  readonly url: string;
  readonly adminUrl: string;
  readonly pid: number;
  readonly child: ChildProcess;
  /** The policy file that it watches. */
  readonly configFile: string;
  /** Its log, oldest first; the last 5,000 lines. */
  readonly lines: readonly LogLine[];
  /** What it wrote to standard error. */
  errors(): string;
  /** Lines about requests. */
  requestLines(): readonly LogLine[];
  /** What `/metrics` says now. It tells the event loop's delays since the scrape before; `lag` keeps the worst. */
  scrape(): Promise<Scrape>;
  /** Worst delays of its event loop, in milliseconds, over all scrapes since it was last forgotten. */
  readonly lag: Lag;
  forgetLag(): void;
  /** Bytes of memory in use. */
  rss(): number;
  /** Milliseconds of CPU used since its start, in steps of 10. */
  cpuMs(): number;
  /** Resolves with the exit code when it has ended, null when a signal ended it. */
  readonly exited: Promise<number | null>;
  /** Kills it if it lives, and removes its files. */
  close(): Promise<void>;
}

/** How to start one. */
export interface GatewayOptions {
  /** The policy, without `version`; `server` has free ports on the loopback unless it names others. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly env?: Readonly<Record<string, string>>;
  /** Options of Node itself, such as `--expose-gc`. */
  readonly nodeOptions?: readonly string[];
  /** A command that becomes the one behind it, such as `prlimit --nofile=64`. */
  readonly prefix?: readonly string[];
  /** `child` can be sent messages; for a module that `nodeOptions` import. */
  readonly messages?: boolean;
}

/** A policy file's text; YAML reads JSON. */
export function policyText(config: GatewayOptions["config"]): string {
  // A machine on which much runs at once lags: what is asked is to be answered all the same, unless a config says otherwise.
  const server = {
    listen: "127.0.0.1:0",
    admin: "127.0.0.1:0",
    shed_lag: "0s",
    ...(config.server as object | undefined),
  };
  return `${JSON.stringify({ version: 1, ...config, server }, null, 1)}\n`;
}

/** Starts a gateway and waits until it listens. @throws Error with what it said when it ends first, or after 20 s. */
export async function startGatewayProcess(options: GatewayOptions): Promise<GatewayProcess> {
  const { config, env = {}, nodeOptions = [], prefix = [], messages = false } = options;
  const folder = mkdtempSync(join(tmpdir(), "signalbox-faults-"));
  const configFile = join(folder, "signalbox.yaml");
  writeFileSync(configFile, policyText(config));
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  const serve = [process.execPath, ...nodeOptions, main, "serve", "--config", configFile];
  const child = start(
    "anywhere",
    [...prefix, "env", ...variables, ...serve],
    [...(["ignore", "pipe", "pipe"] as const), ...(messages ? (["ipc"] as const) : [])],
  );
  const exited = new Promise<number | null>((resolve) => child.once("exit", resolve));
  const lines: LogLine[] = [];
  let errors = "";
  child.stderr!.on("data", (chunk: Buffer) => {
    errors = (errors + chunk.toString()).slice(-65_536);
  });
  const listening = new Promise<LogLine>((resolve) => {
    createInterface(child.stdout!).on("line", (text) => {
      const line = parseLine(text);
      if (line.event === "listening") resolve(line);
      lines.push(line);
      if (lines.length > KEPT_LINES * 2) lines.splice(0, KEPT_LINES);
    });
  });
  const close = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
    await exited;
    rmSync(folder, { recursive: true, force: true });
  };
  const timer = setTimeout(() => child.kill("SIGKILL"), START_MS);
  const line = await Promise.race([listening, exited]);
  clearTimeout(timer);
  if (typeof line !== "object" || line === null) {
    await close();
    throw new Error(`the gateway ended with ${line} before it listened: ${errors}`);
  }
  const [url, adminUrl, pid] = [String(line.url), String(line.admin), child.pid!];
  let lag: Lag = NO_LAG;
  const read = (name: string): string => readFileSync(`/proc/${pid}/${name}`, "utf8");
  return {
    url,
    adminUrl,
    pid,
    child,
    configFile,
    lines,
    errors: () => errors,
    requestLines: () => lines.filter(({ event }) => event === "request"),
    async scrape() {
      const scrape = new Scrape(await (await fetch(`${adminUrl}/metrics`, once)).text());
      lag = { maxMs: Math.max(lag.maxMs, lagIn(scrape, "max")), p99Ms: Math.max(lag.p99Ms, lagIn(scrape, "p99")) };
      return scrape;
    },
    get lag() {
      return lag;
    },
    forgetLag() {
      lag = NO_LAG;
    },
    rss: () => Number(read("statm").split(" ")[1]) * PAGE_BYTES,
    cpuMs: () => parseStat(read("stat")).cpu / 1000,
    exited,
    close,
  };
}

const NO_LAG: Lag = { maxMs: 0, p99Ms: 0 };
/** The delay is measured by a timer of so many milliseconds, which are part of what it tells. */
const LAG_RESOLUTION_MS = 10;

function lagIn(scrape: Scrape, name: "max" | "p99"): number {
  return Math.max(0, scrape.sum(`nodejs_eventloop_lag_${name}_seconds`) * 1000 - LAG_RESOLUTION_MS);
}

function parseLine(text: string): LogLine {
  const pretty = /^ {2}listening (\{.*\})$/.exec(text)?.[1];
  if (pretty !== undefined) return { event: "listening", ...(JSON.parse(pretty) as LogLine) };
  try {
    return JSON.parse(text) as LogLine;
  } catch {
    return { text };
  }
}
