import { setTimeout as sleep } from "node:timers/promises";
import { type Held, heldBy, watched } from "../lab/held-memory.ts";
import type { Verdict } from "../lab/judge.ts";
import { type Lab, openLab } from "../lab/lab.ts";
import type { Lane } from "../lab/lane.ts";
import type { Plan } from "../lab/plan.ts";
import { replaceConfig } from "../lab/replace-config.ts";
import { type EngineUrls, keys, mixedPlan, mixedPolicy, teamOf } from "../lab/traffic.ts";

type EngineName = keyof EngineUrls;

const TIGHT_PER_SECOND = 20;
const LANES = 64;
const FAULT_SHARE = 0.05;
const SCRAPE_MS = 3000;
const OUTAGE_MS = 500;
/** Code, caches and pools that a process makes once are there after so many requests. */
const WARM_UP = 2000;
/** By then V8 has compiled what is worth it and found the size of its heap. */
const WARM = 100_000;
/** An outage in a part of fewer requests would be all of it. */
const LEAST_FOR_OUTAGE = 10_000;
/** A client that is told to come back later does, though sooner than it was told. */
const BACK_OFF_MS = 100;
/** The run is made in so many parts; between them all is quiet, and what is held is measured. */
const parts = (requests: number): number => (requests < 10_000 ? 2 : 10);
const LOOKS = 20;
const MB = 1024 * 1024;

export const soakLimits = { rssGrowthMb: 15, heapMb: 5 } as const;

export interface SoakOptions {
  readonly requests: number;
  readonly seed: number;
  /** Hears of every part's end. */
  readonly say?: (line: string) => void;
  /** Writes a heap snapshot at 10 % and at the end, into this folder. */
  readonly snapshots?: string | undefined;
}

/** What the process held after so many requests, with nothing under way. */
interface Sample extends Held {
  readonly requests: number;
}

export interface SoakResult {
  readonly requests: number;
  readonly seconds: number;
  readonly samples: readonly Sample[];
  /** From 100,000 requests to all of them; from half of a run that is shorter than 200,000. */
  readonly rssGrowthMb: number;
  readonly heapGrowthMb: number;
  /** Straight line through the samples of that part. */
  readonly rssSlopeMbPer100k: number;
  readonly heapSlopeMbPer100k: number;
  /** What the process has open beyond what it had after its warm-up: sorts of resources, and file descriptors. */
  readonly handlesLeft: Readonly<Record<string, number>>;
  /** Answers by their end, errors with their code. */
  readonly ends: Readonly<Record<string, number>>;
  /** Answers that must never be, and how many; empty unless something is badly wrong. */
  readonly wrong: readonly string[];
  readonly wrongCount: number;
  readonly ok: boolean;
}

/** Sends so many requests of a seeded mix through a gateway process and measures what it holds on to. Linux only. */
export async function soak(options: SoakOptions): Promise<SoakResult> {
  await using lab = await openLab({
    engines: ["a", "b", "c"],
    config: (urls) => mixedPolicy(urls, TIGHT_PER_SECOND),
    ...watched,
  });
  return await new Soak(options, lab).go();
}

class Soak {
  readonly #options: SoakOptions;
  readonly #lab: Lab<EngineName>;
  readonly #warmUp: number;
  #next = 0;
  #reloads = 0;
  readonly #ends: Record<string, number> = {};
  readonly #wrong: string[] = [];
  #wrongCount = 0;

  constructor(options: SoakOptions, lab: Lab<EngineName>) {
    this.#options = options;
    this.#lab = lab;
    this.#warmUp = Math.min(WARM_UP, options.requests);
  }

  async go(): Promise<SoakResult> {
    const { requests, snapshots, say } = this.#options;
    const { gateway } = this.#lab;
    const scraping = setInterval(() => void gateway.scrape().catch(() => {}), SCRAPE_MS);
    const began = performance.now();
    const total = parts(requests);
    await this.#part(this.#warmUp);
    const baseline = await this.#measure(0);
    const samples: Sample[] = [];
    for (let part = 1; part <= total; part++) {
      await this.#part(Math.floor((requests * part) / total) - Math.floor((requests * (part - 1)) / total));
      const sample = await this.#measure(this.#next - this.#warmUp, baseline);
      samples.push(sample);
      const snapshot = snapshots !== undefined && (part === 1 || part === total);
      if (snapshot) await heldBy(gateway, `${snapshots}/${part}.heapsnapshot`);
      say?.(lineOf(sample));
    }
    clearInterval(scraping);
    return this.#result(baseline, samples, (performance.now() - began) / 1000);
  }

  /** So many requests, with a reload and a short outage of one engine in their midst; then nothing is left under way. */
  async #part(count: number): Promise<void> {
    const from = this.#next;
    this.#next += count;
    let next = from;
    const lane = async (): Promise<void> => {
      const client = this.#lab.lane();
      while (next < from + count) await this.#ask(client, next++);
      client.leave();
    };
    const lanes = Promise.all(Array.from({ length: LANES }, lane));
    await this.#disturb(count >= LEAST_FOR_OUTAGE);
    await lanes;
  }

  async #disturb(outage: boolean): Promise<void> {
    const { gateway, engines } = this.#lab;
    const { a, b, c } = engines;
    this.#reloads++;
    // A limit that changes makes every reload a real one.
    replaceConfig(gateway, mixedPolicy({ a: a.url, b: b.url, c: c.url }, TIGHT_PER_SECOND + (this.#reloads % 2)));
    if (!outage) return;
    const engine = [a, b, c][this.#reloads % 3]!;
    await engine.close();
    await sleep(OUTAGE_MS);
    await engine.open();
  }

  async #ask(client: Lane, number: number): Promise<void> {
    const plan = mixedPlan(this.#options.seed, number, FAULT_SHARE);
    const model = number % 3 === 0 ? "auto" : "large";
    const { heard, verdict } = await this.#lab.ask(client, plan, { model, key: keys[teamOf(number)] });
    this.#count(plan, verdict);
    if (heard.status === 503) await sleep(BACK_OFF_MS);
  }

  #count(plan: Plan, { end, code, wrong }: Verdict): void {
    const name = code === "" ? end : `${end}: ${code}`;
    this.#ends[name] = (this.#ends[name] ?? 0) + 1;
    if (wrong === undefined) return;
    this.#wrongCount++;
    if (this.#wrong.length < 20) this.#wrong.push(`${wrong}; ${JSON.stringify(plan)}`);
  }

  /** What is held when all is quiet: a probe or a scrape may be under way at a look, so there are some more. */
  async #measure(requests: number, baseline?: Sample): Promise<Sample> {
    let best: Sample | undefined;
    for (let look = 0; look < (baseline === undefined ? 3 : LOOKS); look++) {
      for (const engine of Object.values(this.#lab.engines)) engine.closeIdle();
      await sleep(100);
      const sample = { requests, ...(await heldBy(this.#lab.gateway)) };
      if (best === undefined || handlesOf(sample) <= handlesOf(best)) best = sample;
      if (baseline !== undefined && handlesOf(best) <= handlesOf(baseline)) break;
    }
    return best!;
  }

  #result(baseline: Sample, samples: readonly Sample[], seconds: number): SoakResult {
    const warm = samples.filter(({ requests }) => requests >= Math.min(WARM, this.#options.requests / 2));
    const [first, last] = [warm[0]!, warm.at(-1)!];
    const rssGrowthMb = (last.rss - first.rss) / MB;
    const heapGrowthMb = (last.heapUsed - first.heapUsed) / MB;
    const handlesLeft = handlesBeyond(baseline, last);
    const kept = rssGrowthMb <= soakLimits.rssGrowthMb && Math.abs(heapGrowthMb) <= soakLimits.heapMb;
    return {
      requests: this.#options.requests,
      seconds,
      samples,
      rssGrowthMb,
      heapGrowthMb,
      rssSlopeMbPer100k: slope(warm, ({ rss }) => rss),
      heapSlopeMbPer100k: slope(warm, ({ heapUsed }) => heapUsed),
      handlesLeft,
      ends: this.#ends,
      wrong: this.#wrong,
      wrongCount: this.#wrongCount,
      ok: this.#wrongCount === 0 && Object.keys(handlesLeft).length === 0 && kept,
    };
  }
}

function lineOf({ requests, rss, heapUsed, external, descriptors }: Sample): string {
  const mb = (bytes: number): string => `${(bytes / MB).toFixed(1)} MB`;
  return `${String(requests).padStart(9)} requests   rss ${mb(rss)}   heap ${mb(heapUsed)}   external ${mb(external)}   ${descriptors} descriptors`;
}

function handlesOf({ resources, descriptors }: Sample): number {
  return Object.values(resources).reduce((sum, count) => sum + count, descriptors);
}

function handlesBeyond(baseline: Sample, last: Sample): Record<string, number> {
  const counts = ({ resources, descriptors }: Sample): Record<string, number> => ({ ...resources, descriptors });
  const before = counts(baseline);
  const more = Object.entries(counts(last)).map(([name, count]) => [name, count - (before[name] ?? 0)] as const);
  return Object.fromEntries(more.filter(([, count]) => count > 0));
}

/** Least squares, in MB per 100,000 requests. */
function slope(samples: readonly Sample[], bytesOf: (sample: Sample) => number): number {
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const x = samples.map(({ requests }) => requests / 100_000);
  const y = samples.map((sample) => bytesOf(sample) / MB);
  const [xMean, yMean] = [mean(x), mean(y)];
  const above = x.reduce((sum, value, index) => sum + (value - xMean) * (y[index]! - yMean), 0);
  const below = x.reduce((sum, value) => sum + (value - xMean) ** 2, 0);
  return below === 0 ? 0 : above / below;
}
