import { createHash } from "node:crypto";
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { servedModels } from "./answers.ts";
import { accepts, commandExists, freePort, start, stop, waitFor } from "./processes.ts";

/** The key that every request carries; only Signalbox looks at it. */
export const teamKey = "sk-signalbox-bench-3f9a1c5d7e2b4a6088d1";

/** Something that stands between load and upstream and is measured. */
export interface Contender {
  readonly name: "bare" | "nginx" | "signalbox" | "traced";
  /** As a reader of the table knows it. */
  readonly title: string;
  /** Why it cannot run here; undefined = it can. */
  readonly whyNot?: string;
  /** Starts it on the measured core, in a folder of its own, before the upstream of this port. */
  start(upstreamPort: number, folder: string): Promise<RunningContender>;
}

export interface RunningContender {
  readonly pid: number;
  readonly port: number;
  stop(): Promise<void>;
  /**
   * Was everything done that is to be paid for, for this many requests?
   * @throws Error that says what is missing.
   */
  verify?(requests: number): Promise<void>;
}

/** A yardstick from a script that takes its port and the upstream's URL. */
function bare(script: string): Contender {
  const file = basename(script);
  return {
    name: "bare",
    title: `node:http + undici (bench/${file})`,
    async start(upstreamPort) {
      const port = await freePort();
      const command = [process.execPath, script, String(port), `http://127.0.0.1:${upstreamPort}`];
      const child = start("measured", command, ["ignore", "inherit", "inherit"]);
      await waitFor(file, child, () => accepts(port));
      return { pid: child.pid!, port, stop: () => stop(child) };
    },
  };
}

/** The yardstick of requests. */
export const bareProxy = bare(fileURLToPath(import.meta.resolve("./bare-proxy.ts")));

/** The yardstick of streams. */
export const barePipe = bare(fileURLToPath(import.meta.resolve("./bare-pipe.ts")));

/** nginx with one worker as a plain proxy, for scale. */
export const nginx: Contender = {
  name: "nginx",
  title: "nginx, plain proxy",
  ...(commandExists("nginx") ? {} : { whyNot: "no nginx on PATH (Debian: apt-get install nginx-light)" }),
  async start(upstreamPort, folder) {
    const port = await freePort();
    writeFileSync(join(folder, "nginx.conf"), nginxConfig(port, upstreamPort, folder));
    const command = ["nginx", "-p", folder, "-c", join(folder, "nginx.conf"), "-e", join(folder, "error.log")];
    const child = start("measured", command, ["ignore", "inherit", "inherit"]);
    await waitFor("nginx", child, () => accepts(port));
    return { pid: child.pid!, port, stop: () => stop(child) };
  },
};

function nginxConfig(port: number, upstreamPort: number, folder: string): string {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  return `
daemon off;
worker_processes 1;
pid ${folder}/nginx.pid;
error_log ${folder}/error.log;
events { worker_connections 10000; }
http {
  access_log off;
  keepalive_requests 100000000;
  ${temporary.map((name) => `${name}_temp_path ${folder}/${name};`).join("\n  ")}
  upstream engine { server 127.0.0.1:${upstreamPort}; keepalive 128; keepalive_requests 100000000; }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location / {
      proxy_pass http://engine;
      proxy_http_version 1.1;
      proxy_set_header connection "";
      proxy_buffering off;
      proxy_read_timeout 10m;
    }
  }
}
`;
}

const gatewayScript = join(import.meta.dirname, "../apps/gateway/src/main.ts");

/** How the gateway is measured. */
export interface GatewayOn {
  /** Where limits are counted; a Redis has its place with load and upstream. */
  readonly store: "memory" | "redis";
  /** A folder for the CPU profile of its process, which is dearer with it. */
  readonly profile?: string | undefined;
  /** Share of the requests whose traces go to a collector; 0 = nothing is traced. */
  readonly trace?: number | undefined;
}

/** The gateway with keys, limits, routing, breaker, metrics and the log line, as a team would use it. */
export function signalbox({ store, profile, trace = 0 }: GatewayOn): Contender {
  const missing = store === "redis" && !commandExists("redis-server");
  const options = profile === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profile}`];
  return {
    name: trace > 0 ? "traced" : "signalbox",
    title: `Signalbox, ${trace > 0 ? `traces of ${trace * 100} %` : "everything on"}, limits in ${store === "redis" ? "Redis" : "memory"}`,
    ...(missing ? { whyNot: "no redis-server on PATH (Debian: apt-get install redis-server)" } : {}),
    start: async (upstreamPort, folder) => {
      const place = store === "redis" ? await startRedis() : "memory";
      const traces = trace > 0 ? `, traces: { endpoint: "${await startTraceSink()}", sample: ${trace * 100}% }` : "";
      return startGateway({ upstreamPort, folder, store: place, traces, nodeOptions: options });
    },
  };
}

async function startRedis(): Promise<string> {
  const port = await freePort();
  const command = ["redis-server", "--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
  const child = start("others", command, ["ignore", "ignore", "inherit"]);
  await waitFor("redis-server", child, () => accepts(port));
  return `redis://127.0.0.1:${port}`;
}

/** A collector that takes everything and reads nothing, with load and upstream. */
async function startTraceSink(): Promise<string> {
  const port = await freePort();
  const script = fileURLToPath(import.meta.resolve("./trace-sink.ts"));
  const child = start("others", [process.execPath, script, String(port)], ["ignore", "inherit", "inherit"]);
  await waitFor("trace sink", child, () => accepts(port));
  return `http://127.0.0.1:${port}`;
}

interface GatewayPlace {
  readonly upstreamPort: number;
  readonly folder: string;
  readonly store: string;
  /** Members of `server`. */
  readonly traces: string;
  readonly nodeOptions: readonly string[];
}

async function startGateway(place: GatewayPlace): Promise<RunningContender> {
  const { folder, nodeOptions } = place;
  const [port, admin] = [await freePort(), await freePort()];
  const config = join(folder, "signalbox.yaml");
  writeFileSync(config, signalboxConfig(port, admin, place));
  const logFile = join(folder, "signalbox.log");
  const log = openSync(logFile, "a");
  const command = [process.execPath, ...nodeOptions, gatewayScript, "serve", "--config", config];
  const child = start("measured", command, ["ignore", log, log]);
  closeSync(log);
  await waitFor("signalbox", child, () => answersOk(`http://127.0.0.1:${admin}/readyz`));
  return {
    pid: child.pid!,
    port,
    stop: () => stop(child),
    verify: async (requests) => {
      const metrics = await verifySignals(requests, logFile, `http://127.0.0.1:${admin}/metrics`);
      if (place.traces !== "") verifyTraces(metrics);
    },
  };
}

function signalboxConfig(port: number, admin: number, { upstreamPort, store, traces }: GatewayPlace): string {
  const [small, large] = servedModels;
  const hash = createHash("sha256").update(teamKey).digest("hex");
  return `
version: 1
server: { listen: "127.0.0.1:${port}", admin: "127.0.0.1:${admin}", log: json, drain_delay: 0s${traces} }
store: ${store}
backends:
  engine: { kind: vllm, url: "http://127.0.0.1:${upstreamPort}", max_concurrent: 10000 }
models:
  small: { on: [ { backend: engine, model: ${small} } ], aliases: [gpt-4o-mini], strategy: least_busy, context: 32k, tools: true, fallback: [large] }
  large: { on: [ { backend: engine, model: ${large} } ], aliases: [gpt-4o], strategy: two_choices, context: 128k, tools: true }
routing:
  - { when: { has_tools: true, complexity: ">= moderate" }, use: large }
  - { when: { complexity: simple, tokens: "< 2k" }, use: small }
  - { use: large }
teams:
  bench: { keys: ["sha256:${hash}"], models: [auto, small, large], limits: { requests: 100M/min, tokens: 100000M/min, concurrent: 10000 } }
defaults: { timeouts: { connect: 2s, first_token: 30s, idle: 10m, total: 30m }, attempts: 3, retry_budget: 20% }
`;
}

async function answersOk(url: string): Promise<boolean> {
  try {
    const response = await fetch(url);
    await response.arrayBuffer();
    return response.status === 200;
  } catch {
    return false;
  }
}

async function verifySignals(requests: number, logFile: string, metricsUrl: string): Promise<string> {
  let lines = countLines(logFile);
  // The log may be written in batches.
  for (let tries = 0; tries < 20 && lines < requests; tries++) {
    await sleep(100);
    lines = countLines(logFile);
  }
  if (lines < requests) throw new Error(`signalbox logged ${lines} lines for ${requests} requests`);
  const metrics = await (await fetch(metricsUrl)).text();
  if (!/^signalbox_\w+\{.*\} \d/m.test(metrics)) throw new Error("signalbox has no metrics of its requests");
  const left = /^signalbox_store_transitions_total\{to="local"\} (\d+)/m.exec(metrics)?.[1];
  // One does not move a median of rounds.
  if (Number(left ?? 0) > 1) throw new Error("Redis was too slow on this machine: not all limits were counted there");
  return metrics;
}

/** What is dropped is cheap, and must not make tracing look so. */
function verifyTraces(metrics: string): void {
  const sum = (name: string): number =>
    [...metrics.matchAll(new RegExp(`^signalbox_trace_spans_${name}_total\\S* (\\d+)`, "gm"))].reduce(
      (total, [, value]) => total + Number(value),
      0,
    );
  const [exported, dropped] = [sum("exported"), sum("dropped")];
  if (exported === 0 || dropped > exported / 50)
    throw new Error(`the collector took ${exported} spans, and ${dropped} were lost`);
}

function countLines(file: string): number {
  return readFileSync(file).reduce((count, byte) => (byte === 10 ? count + 1 : count), 0);
}

/** Starts a contender in a new folder under `folder`. */
export async function startIn(folder: string, contender: Contender, upstreamPort: number): Promise<RunningContender> {
  const own = join(folder, `${contender.name}-${performance.now().toFixed(0)}`);
  mkdirSync(own, { recursive: true });
  return contender.start(upstreamPort, own);
}
