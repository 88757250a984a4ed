import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { startRedis, type TestRedis } from "../../apps/gateway/src/store/test-redis.ts";
import { createRandom } from "../../packages/simulator/src/index.ts";
import { policyText } from "../faults/gateway-process.ts";
import { hashOf, type ReadyGateway, startReadyGateway } from "../hostile/ready-gateway.ts";
import { send } from "./client.ts";
import { type CountingEngine, startCountingEngine } from "./engine.ts";
import { type Act, costsOf, type Errand, errandOf } from "./errand.ts";

const DAYS = 30;
const DAY_MS = 86_400_000;
const LANES = 24;
/** Of a lane, behind each request: a day has as many requests on a fast machine as on a slow one. */
const PAUSE_MS = 25;
/** By then all gateways have started, and the month begins. */
const START_MS = 25_000;
const teams = ["payments", "search", "support"] as const;
/** Prices as a policy file writes them, and in billionths for a token. */
const models = {
  large: { cost: { input: "0.2/M", output: "1.1/M" }, nano: { input: 200n, output: 1100n } },
  small: { cost: { input: "0.05/M", output: "0.1/M" }, nano: { input: 50n, output: 100n } },
} as const;
type Model = keyof typeof models;

/** Where usage is written. */
export type Where = "redis" | "files";

export interface MonthOptions {
  readonly where: Where;
  /** Real seconds that the month takes. */
  readonly seconds: number;
  readonly seed: number;
}

/** What was used by a team of a model; `cost` in billionths of the currency. */
export interface Sum {
  requests: number;
  input: number;
  output: number;
  cost: bigint;
}

export interface MonthResult {
  readonly where: Where;
  readonly replicas: number;
  /** By `team model`: what the clients counted, and what `signalbox usage` says. */
  readonly counted: Readonly<Record<string, Sum>>;
  readonly exported: Readonly<Record<string, Sum>>;
  /** Requests by how they were meant to end, and answers that must never be. */
  readonly sent: Readonly<Record<Act, number>>;
  readonly refused: number;
  readonly unexpected: readonly string[];
  /** Different days in the export. */
  readonly days: number;
  readonly bytesPerEntry: number;
  /** Seconds that Redis was away. */
  readonly awaySeconds: number;
  readonly ok: boolean;
}

/** A month of traffic through real gateways in some seconds, held against what the ledger says of it. */
export async function month(options: MonthOptions): Promise<MonthResult> {
  const run = new Month(options);
  try {
    return await run.go();
  } finally {
    await run.close();
  }
}

const keyOf = (team: string): string => `key-of-${team}`;

class Month {
  readonly #options: MonthOptions;
  readonly #folder = mkdtempSync(path.join(tmpdir(), "signalbox-ledger-"));
  readonly #random: () => number;
  readonly #engines: CountingEngine[] = [];
  readonly #gateways: ReadyGateway[] = [];
  #redis: TestRedis | undefined;
  readonly #counted: Record<string, Sum> = {};
  readonly #sent: Record<string, number> = {};
  readonly #unexpected: string[] = [];
  #refused = 0;
  #count = 0;
  #awayMs = 0;

  constructor(options: MonthOptions) {
    this.#options = options;
    this.#random = createRandom(options.seed);
  }

  async go(): Promise<MonthResult> {
    const { where, seconds } = this.#options;
    await this.#open();
    const until = performance.now() + seconds * 1000;
    const outage = this.#outage();
    await Promise.all(Array.from({ length: LANES }, () => this.#lane(until)));
    await outage;
    const replicas = this.#gateways.length;
    // As a rolling restart does: what is not written yet is written before a process ends.
    await Promise.all(this.#gateways.map(({ child }) => child.kill("SIGTERM")));
    await Promise.all(this.#gateways.map(({ exited }) => exited));
    const exported = await this.#export("team,model");
    const days = Object.keys(await this.#export("day")).length;
    const entries = Object.values(exported).reduce((sum, { requests }) => sum + requests, 0);
    return {
      where,
      replicas,
      counted: this.#counted,
      exported,
      sent: this.#sent as Record<Act, number>,
      refused: this.#refused,
      unexpected: this.#unexpected.slice(0, 10),
      days,
      bytesPerEntry: Math.round((await this.#bytes()) / entries),
      awaySeconds: Math.round(this.#awayMs / 100) / 10,
      ok: this.#unexpected.length === 0 && isSame(this.#counted, exported) && days >= DAYS,
    };
  }

  async close(): Promise<void> {
    for (const gateway of this.#gateways) await gateway.close();
    for (const engine of this.#engines) engine.close();
    await this.#redis?.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #open(): Promise<void> {
    const { where, seconds } = this.#options;
    const seen = new Set<string>();
    this.#engines.push(await startCountingEngine(seen), await startCountingEngine(seen));
    if (where === "redis") this.#redis = await startRedis({ persistent: true });
    const config = this.#config();
    writeFileSync(this.#configFile, policyText(config));
    const began = Date.now() + START_MS;
    const from = Math.floor(began / DAY_MS) * DAY_MS - DAYS * DAY_MS;
    const clock = `began=${began}&from=${from}&factor=${(DAYS * DAY_MS) / (seconds * 1000)}`;
    const nodeOptions = ["--import", `${import.meta.resolve("./fast-clock.ts")}?${clock}`];
    const replicas = where === "redis" ? 4 : 1;
    for (let replica = 0; replica < replicas; replica++) {
      this.#gateways.push(await startReadyGateway({ config, nodeOptions }));
    }
    const early = began - Date.now();
    if (early < 0) throw new Error(`the gateways took ${-early} ms too long to start`);
    await sleep(early);
  }

  get #configFile(): string {
    return path.join(this.#folder, "signalbox.yaml");
  }

  #config(): Record<string, unknown> {
    const on = this.#engines.map((_, at) => ({ backend: `engine-${at}`, model: "large" }));
    const usage = { folder: path.join(this.#folder, "usage") };
    return {
      server: { drain_delay: "0s", log: "json" },
      ...(this.#redis === undefined ? { usage } : { store: this.#redis.url }),
      backends: Object.fromEntries(this.#engines.map(({ url }, at) => [`engine-${at}`, { kind: "vllm", url }])),
      models: Object.fromEntries(Object.entries(models).map(([name, { cost }]) => [name, { on, cost }])),
      teams: Object.fromEntries(
        teams.map((team) => [
          team,
          { keys: [hashOf(keyOf(team))], limits: { tokens: "2G/min" }, budget: { cost: "1M/month" } },
        ]),
      ),
    };
  }

  /** In the middle of the month Redis dies, and comes back with its data. */
  async #outage(): Promise<void> {
    if (this.#redis === undefined) return;
    const { seconds } = this.#options;
    await sleep(seconds * 400);
    const began = performance.now();
    await this.#redis.kill();
    await sleep(seconds * 150);
    await this.#redis.restart();
    this.#awayMs = performance.now() - began;
  }

  async #lane(until: number): Promise<void> {
    while (performance.now() < until) {
      const number = this.#count++;
      const team = teams[number % teams.length]!;
      const model: Model = this.#random() < 0.5 ? "large" : "small";
      const errand = errandOf(this.#random);
      const { url } = this.#gateways[number % this.#gateways.length]!;
      this.#sent[errand.act] = (this.#sent[errand.act] ?? 0) + 1;
      const ending = await send(errand, { url, key: keyOf(team), model, id: `r${number}` }).catch(
        (error: unknown) => `unexpected: ${error instanceof Error ? error.message : error}` as const,
      );
      await sleep(PAUSE_MS);
      if (ending === "done") this.#note(team, model, errand);
      else if (ending === "refused") this.#refused++;
      else this.#unexpected.push(ending);
    }
  }

  #note(team: string, model: Model, errand: Errand): void {
    const key = `${team} ${model}`;
    this.#counted[key] ??= { requests: 0, input: 0, output: 0, cost: 0n };
    const sum = this.#counted[key];
    const { input, output } = costsOf(errand);
    const { nano } = models[model];
    sum.requests++;
    sum.input += input;
    sum.output += output;
    sum.cost += BigInt(input) * nano.input + BigInt(output) * nano.output;
  }

  /** What `signalbox usage` says, by the values of its groups. */
  async #export(by: string): Promise<Record<string, Sum>> {
    const main = fileURLToPath(import.meta.resolve("../../apps/gateway/src/main.ts"));
    const args = [main, "usage", "--json", "--by", by, "--config", this.#configFile];
    const { stdout } = await promisify(execFile)(process.execPath, args, { maxBuffer: 2 ** 26 });
    const { rows } = JSON.parse(stdout) as { rows: Record<string, string | number>[] };
    const keyOfRow = (row: (typeof rows)[number]): string =>
      by
        .split(",")
        .map((name) => row[name])
        .join(" ");
    return Object.fromEntries(
      rows.map((row) => [
        keyOfRow(row),
        {
          requests: Number(row.requests),
          input: Number(row.input_tokens),
          output: Number(row.output_tokens),
          cost: nanoOf(String(row.cost)),
        },
      ]),
    );
  }

  async #bytes(): Promise<number> {
    if (this.#redis === undefined) {
      const folder = path.join(this.#folder, "usage");
      return readdirSync(folder).reduce((sum, name) => sum + statSync(path.join(folder, name)).size, 0);
    }
    const cli = async (...words: string[]): Promise<string> =>
      (await promisify(execFile)("redis-cli", ["-p", String(this.#redis!.port), ...words])).stdout.trim();
    let bytes = 0;
    for (const stream of (await cli("keys", "*}:usage:*")).split("\n"))
      bytes += Number(await cli("memory", "usage", stream, "samples", "0"));
    return bytes;
  }
}

/** `1.25` as billionths. */
function nanoOf(cost: string): bigint {
  const [whole = "0", fraction = ""] = cost.split(".");
  return BigInt(whole) * 1_000_000_000n + BigInt(fraction.padEnd(9, "0"));
}

function isSame(counted: Readonly<Record<string, Sum>>, exported: Readonly<Record<string, Sum>>): boolean {
  const keys = new Set([...Object.keys(counted), ...Object.keys(exported)]);
  return [...keys].every((key) => {
    const [one, other] = [counted[key], exported[key]];
    return one !== undefined && other !== undefined && differenceOf(one, other) === 0n;
  });
}

/** How far two sums lie apart: tokens and requests and billionths together, 0 = nowhere. */
function differenceOf(one: Sum, other: Sum): bigint {
  const apart = (a: bigint, b: bigint): bigint => (a > b ? a - b : b - a);
  const numbers = (["requests", "input", "output"] as const).map((name) =>
    apart(BigInt(one[name]), BigInt(other[name])),
  );
  return numbers.reduce((sum, each) => sum + each, apart(one.cost, other.cost));
}
