import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { createRandom } from "../../packages/simulator/src/index.ts";
import { host } from "../harness.ts";
import { fast, full } from "./profile.ts";
import { createScheduler, type Result } from "./run.ts";
import type { Scenario } from "./scenario.ts";
import { scenarios } from "./table.ts";

const usage = `pnpm faults [ID...] [--full] [--seed N] [--json FILE]

  ID           rows to play, such as F04; all unless given
  --full       the real timeouts and amounts instead of a tenth
  --seed N     another seed: other words, other places to cut, another order
  --json FILE  write everything to a file`;

interface Options {
  readonly ids: readonly string[];
  readonly full: boolean;
  readonly seed: number;
  readonly json: string | undefined;
}

function readOptions(): Options {
  try {
    const { values, positionals } = parseArgs({
      options: {
        full: { type: "boolean", default: false },
        seed: { type: "string" },
        json: { type: "string" },
      },
      allowPositionals: true,
      // `pnpm faults -- --full` hands the dashes on.
      args: process.argv.slice(2).filter((argument) => argument !== "--"),
    });
    const seed = Number(values.seed ?? 1);
    if (!Number.isInteger(seed)) throw new Error("--seed is a whole number");
    const known = new Set(scenarios.map(({ id }) => id));
    const unknown = positionals.filter((id) => !known.has(id));
    if (unknown.length > 0) throw new Error(`there is no row ${unknown.join(", ")}`);
    return { ids: positionals, full: values.full, seed, json: values.json };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n\n${usage}`);
    process.exit(2);
  }
}

/** One row of the output; the title comes last, since it is as long as it is. */
function lineOf({ id, title, outcome, reason, ms, checks, lagMaxMs, cpuAfter }: Result): string {
  if (outcome === "skipped") return `${id}  skipped: ${reason}  ${title}`;
  const sides = Object.entries(checks).flatMap(([side, count]) => (count > 0 ? [`${side} ${count}`] : []));
  const strain = `lag ${String(lagMaxMs).padStart(3)} ms, CPU after ${String(Math.round(cpuAfter * 100)).padStart(2)} %`;
  return `${id}  ${outcome.padEnd(6)} ${String(ms).padStart(6)} ms  ${strain}  ${sides.join(", ").padEnd(48)}  ${title}`;
}

/** Which rows are played beside which is the seed's choice. */
function inSeedsOrder(rows: readonly Scenario[]): Scenario[] {
  const random = createRandom(options.seed);
  return rows
    .map((row) => ({ row, place: random() }))
    .sort((a, b) => a.place - b.place)
    .map(({ row }) => row);
}

const options = readOptions();
const profile = options.full ? full : fast;
const chosen = scenarios.filter(({ id }) => options.ids.length === 0 || options.ids.includes(id));
console.log(
  `${chosen.length} faults, ${profile.name} profile, seed ${options.seed}, on ${host()}, Node ${process.version}`,
);
const scheduler = createScheduler({ profile, seed: options.seed });
const started = performance.now();
const playing = new Map(inSeedsOrder(chosen).map((scenario) => [scenario, scheduler.play(scenario)]));
const results: Result[] = [];
for (const scenario of chosen) {
  const result = await playing.get(scenario)!;
  results.push(result);
  console.log(lineOf(result));
  for (const failure of result.failures) console.log(`       ${failure}`);
}
const count = (outcome: Result["outcome"]): number => results.filter((result) => result.outcome === outcome).length;
const worstLag = results.reduce((worst, one) => (one.lagMaxMs > worst.lagMaxMs ? one : worst), results[0]!);
const worstCpu = results.reduce((worst, one) => (one.cpuAfter > worst.cpuAfter ? one : worst), results[0]!);
console.log(
  `\nworst event-loop lag: ${worstLag.lagMaxMs} ms (${worstLag.id}); most CPU afterwards: ${Math.round(worstCpu.cpuAfter * 100)} % (${worstCpu.id})`,
);
if (options.json !== undefined) {
  const about = { date: new Date().toISOString(), machine: host(), node: process.version };
  const whole = { ...about, profile: profile.name, seed: options.seed, seconds: (performance.now() - started) / 1000 };
  writeFileSync(options.json, `${JSON.stringify({ ...whole, results }, null, 2)}\n`);
}
console.log(`${count("ok")} passed, ${count("FAILED")} failed, ${count("skipped")} skipped`);
process.exit(count("FAILED") === 0 ? 0 : 1);
