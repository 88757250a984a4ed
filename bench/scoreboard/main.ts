import { parseArgs } from "node:util";
import { machine, writeJson } from "../harness.ts";
import { table } from "../rounds.ts";
import type { Figure } from "./measure.ts";
import { type MeasureName, measures } from "./measures.ts";

const usage = `usage: pnpm scoreboard [${Object.keys(measures).join("|")}]... [--short] [--seed 1] [--json FILE]`;

function readOptions() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        short: { type: "boolean", default: false },
        seed: { type: "string", default: "1" },
        json: { type: "string" },
      },
      args: process.argv.slice(2).filter((argument) => argument !== "--"),
    });
    const unknown = positionals.find((name) => !(name in measures));
    if (unknown !== undefined) throw new Error(`there is no measure «${unknown}»`);
    const seed = Number(values.seed);
    if (!Number.isInteger(seed)) throw new Error("--seed is a whole number");
    const names = (positionals.length > 0 ? positionals : Object.keys(measures)) as MeasureName[];
    return { ...values, seed, names };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n${usage}`);
    process.exit(2);
  }
}

const { names, short, seed, json } = readOptions();
console.log(`scoreboard${short ? ", short" : ""}, seed ${seed}, on ${machine()}, Node ${process.version}`);
const figures: Record<string, Partial<Figure> & { title: string; target: string; error?: string }> = {};
for (const name of names) {
  const { title, target, run } = measures[name];
  const began = performance.now();
  try {
    const figure = await run({ size: short ? "short" : "full", seed, say: console.log });
    figures[name] = { title, target, ...figure };
  } catch (error) {
    figures[name] = { title, target, ok: false, error: error instanceof Error ? error.message : String(error) };
  }
  const { value, ok, error, details } = figures[name];
  const seconds = ((performance.now() - began) / 1000).toFixed(0);
  console.log(`${name}  ${ok ? "PASS" : "FAIL"}  ${error ?? value}  (${title}: ${target}; ${seconds} s)`);
  if (!ok) console.log(JSON.stringify(details, null, 1));
}
const numberOf = (value: number | undefined): string =>
  value === undefined ? "-" : String(Math.round(value * 1000) / 1000);
const rows = names.map((name) => {
  const { title, target, value, ok } = figures[name]!;
  return [`${name} ${title}`, numberOf(value), target, ok ? "PASS" : "FAIL"];
});
console.log(`\n${table([["number", "is", "must be", ""], ...rows])}\n`);
writeJson(json, { seed, short, figures });
process.exit(Object.values(figures).every(({ ok }) => ok) ? 0 : 1);
