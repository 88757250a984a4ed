import { parseArgs } from "node:util";
import { host, writeJson } from "../harness.ts";
import { reconcile } from "./reconcile.ts";

const usage = "usage: pnpm reconcile [--requests 10000] [--seed 1] [--json FILE]";
/** Mismatches that are shown. */
const SHOWN = 40;

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        requests: { type: "string", default: "10000" },
        seed: { type: "string", default: "1" },
        json: { type: "string" },
      },
      args: process.argv.slice(2).filter((argument) => argument !== "--"),
    });
    const [requests, seed] = [Number(values.requests), Number(values.seed)];
    if (!Number.isInteger(requests) || requests < 1) throw new Error("--requests is a whole number of at least 1");
    if (!Number.isInteger(seed) || seed < 0) throw new Error("--seed is a whole number of at least 0");
    return { requests, seed, json: values.json };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n${usage}`);
    process.exit(2);
  }
}

const { json, ...options } = readOptions();
console.log(`reconcile, ${options.requests} requests, seed ${options.seed}, on ${host()}, Node ${process.version}`);
const { rows, mismatches, seconds } = await reconcile(options);
const line = (name: string, ...cells: readonly (number | string)[]): string =>
  name.padEnd(44) + cells.map((cell) => String(cell).padStart(14)).join("");
console.log(line("metric", "series", "counted", "metrics"));
const rounded = (value: number): number => Math.round(value * 1e9) / 1e9;
for (const { name, series, counted, metrics } of rows)
  console.log(line(name, series, rounded(counted), rounded(metrics)));
for (const mismatch of mismatches.slice(0, SHOWN)) console.log(`  ${mismatch}`);
console.log(`${Math.round(seconds)} s, ${rows.reduce((sum, { series }) => sum + series, 0)} series compared`);
console.log(`mismatches ${mismatches.length}`);
writeJson(json, { ...options, seconds, rows, mismatches });
process.exit(mismatches.length === 0 ? 0 : 1);
