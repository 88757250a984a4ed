import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { machine } from "../harness.ts";
import type { Measure } from "./measure.ts";
import { measures } from "./measures.ts";

const usage = `pnpm scoreboard [NAME|Sxx ...] [--full] [--seed N] [--json FILE]

Takes the measures that are named, or all, one after the other. Ends with 1 where a target is not kept.
  --full       the sizes that the targets speak of
  --seed N     other random input; 1 unless given
  --json FILE  write what was seen to a file

${Object.entries(measures)
  .map(([id, { name, title }]) => `  ${id.padEnd(4)} ${name.padEnd(16)} ${title}`)
  .join("\n")}`;

function readArguments() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      full: { type: "boolean", default: false },
      seed: { type: "string", default: "1" },
      json: { type: "string" },
    },
    // `pnpm scoreboard -- S24` hands the dashes on.
    args: process.argv.slice(2).filter((argument) => argument !== "--"),
  });
  const all: [string, Measure][] = Object.entries(measures);
  const chosen = all.filter(
    ([id, { name }]) => positionals.length === 0 || positionals.some((one) => one === id || one === name),
  );
  const unknown = positionals.filter((one) => !all.some(([id, { name }]) => one === id || one === name));
  if (unknown.length > 0) throw new Error(`there is no measure ${unknown.join(", ")}`);
  const seed = Number(values.seed);
  if (!Number.isSafeInteger(seed)) throw new Error("--seed is a whole number");
  return { chosen, json: values.json, options: { full: values.full, seed } };
}

async function main(): Promise<number> {
  let given: ReturnType<typeof readArguments>;
  try {
    given = readArguments();
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n\n${usage}`);
    return 2;
  }
  const rows: object[] = [];
  let missed = 0;
  for (const [id, measure] of given.chosen) {
    const { name, title, target } = measure;
    const began = performance.now();
    const { value, unit, ok, details } = await measure.run(given.options);
    const seconds = Math.round((performance.now() - began) / 100) / 10;
    if (!ok) missed++;
    for (const line of details) console.log(`     ${line}`);
    console.log(`${id} ${name}: ${value} ${unit} (${ok ? "ok" : "MISSED"}; target ${target}; ${seconds} s)`);
    rows.push({ id, name, title, target, value, unit, ok, seconds, details });
  }
  if (given.json !== undefined) {
    const where = { machine: machine(), node: process.version, date: new Date().toISOString() };
    writeFileSync(given.json, `${JSON.stringify({ ...where, ...given.options, measures: rows }, null, 2)}\n`);
  }
  return missed > 0 ? 1 : 0;
}

process.exit(await main());
