import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { type Simulator, type SimulatorInput, startSimulator } from "@signalbox/simulator";
import type { Config } from "../config/config.ts";
import { loadConfig } from "../config/load.ts";
import { formatError } from "../config/problems.ts";
import { type Gateway, startGateway } from "../runtime/gateway.ts";
import { createRequestLog } from "../signals/request-log.ts";

export interface TestGatewayOptions<Name extends string> {
  /** Simulated engines to start, by the names that `yaml` gets their addresses under. */
  readonly engines?: Readonly<Record<Name, SimulatorInput>>;
  /**
   * The policy file. `version: 1` and a `server` section with free ports on the loopback are put before it where it has none
   * of its own.
   */
  readonly yaml: (urls: Readonly<Record<Name, string>>) => string;
  /** For `${NAME}` in the policy file; nothing unless given. */
  readonly env?: Readonly<Record<string, string>>;
  /** False = do not wait for the first probes. */
  readonly probed?: boolean;
}

/** A gateway with simulated engines behind it, all over real sockets on the loopback. */
export interface TestGateway<Name extends string> {
  /** `http://127.0.0.1:PORT` of the public listener. */
  readonly url: string;
  /** The same with `/v1`: what a client calls its base URL. */
  readonly baseUrl: string;
  readonly port: number;
  readonly adminUrl: string;
  readonly gateway: Gateway;
  readonly engines: Readonly<Record<Name, Simulator>>;
  /** Puts another policy file in force, as a reload does; same rules as `yaml`. Throws an Error with the file's errors. */
  apply(yaml: string): Promise<void>;
  /** Sends JSON with `content-type` and, where given, a key; `body` may be text that is sent as it is. */
  post(path: string, body: unknown, headers?: Readonly<Record<string, string>>): Promise<Response>;
  /** Every line of the gateway's log until now. */
  logLines(): readonly string[];
  /** Lines about requests, parsed. */
  requestLines(): readonly Readonly<Record<string, unknown>>[];
  /** `/metrics` of the admin listener. */
  metrics(): Promise<string>;
  /** Stops the gateway and every engine. */
  close(): Promise<void>;
}

/** Starts simulated engines and a gateway in front of them, on free ports. Throws an Error with the errors of the policy file. */
export async function startTestGateway<Name extends string>(
  options: TestGatewayOptions<Name>,
): Promise<TestGateway<Name>> {
  const entries = Object.entries(options.engines ?? {}) as [Name, SimulatorInput][];
  const started = await Promise.all(entries.map(async ([name, input]) => [name, await startSimulator(input)] as const));
  const engines = Object.fromEntries(started) as Record<Name, Simulator>;
  const urls = Object.fromEntries(started.map(([name, { url }]) => [name, url])) as Record<Name, string>;
  const folder = mkdtempSync(path.join(tmpdir(), "signalbox-test-"));
  const logFile = path.join(folder, "log");
  const fd = openSync(logFile, "a");
  const closeEngines = async (): Promise<void> => {
    await Promise.all(started.map(([, engine]) => engine.close()));
    closeSync(fd);
    rmSync(folder, { recursive: true, force: true });
  };
  const env = options.env ?? {};
  const log = createRequestLog({
    form: "json",
    writer: { write: (line) => void writeSync(fd, line), flush: async () => {}, dropped: 0, isBehind: false },
  });
  const gateway = await readPolicy(options.yaml(urls), env)
    .then((config) => startGateway({ config, log }))
    .catch(async (error: unknown) => {
      await closeEngines();
      throw error;
    });
  if (options.probed !== false) await gateway.probed;
  const logLines = (): readonly string[] => {
    return readFileSync(logFile, "utf8")
      .split("\n")
      .filter((line) => line !== "");
  };

  return {
    url: gateway.url,
    baseUrl: `${gateway.url}/v1`,
    port: Number(new URL(gateway.url).port),
    adminUrl: gateway.adminUrl,
    gateway,
    engines,
    apply: async (yaml) => gateway.apply(await readPolicy(yaml, env)),
    post: (to, body, headers = {}) =>
      fetch(`${gateway.url}${to}`, {
        method: "POST",
        headers: { "content-type": "application/json", ...headers },
        body: typeof body === "string" ? body : JSON.stringify(body),
      }),
    logLines,
    requestLines: () =>
      logLines()
        .map((line) => JSON.parse(line) as Record<string, unknown>)
        .filter(({ event }) => event === "request"),
    metrics: async () => (await fetch(`${gateway.adminUrl}/metrics`)).text(),
    async close() {
      await gateway.close();
      await closeEngines();
    },
  };
}

/** A policy file's text with what every file needs put before it where it is missing. */
export function wholePolicy(yaml: string): string {
  const version = /^version:/m.test(yaml) ? "" : "version: 1\n";
  // A machine that is busy with tests lags, and what they ask is to be answered all the same.
  const server = "server: { listen: 127.0.0.1:0, admin: 127.0.0.1:0, drain_delay: 0s, shed_lag: 0s }\n";
  return `${version}${/^server:/m.test(yaml) ? "" : server}${yaml}`;
}

async function readPolicy(yaml: string, env: Readonly<Record<string, string>>): Promise<Config> {
  const loaded = await loadConfig(wholePolicy(yaml), { env, fileName: "test.yaml" });
  if (!loaded.ok) throw new Error(loaded.errors.map(formatError).join("\n"));
  return loaded.config;
}
