import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { fuzz } from "./fuzz.ts";
import { readSeeds } from "./seeds.ts";

const USAGE = `usage: pnpm fuzz:adapter [--seconds S | --inputs N] [--seed N] [--keep N] [--json FILE]
  --seconds S  how long to go on (60)
  --inputs N   how many inputs to try instead
  --seed N     determines the inputs (1)
  --keep N     how many failing inputs to print of each law (3)
  --json FILE  writes the result to a file`;

function numberOf(name: string, text: string): number {
  const number = Number(text);
  if (!(number >= 0) || text.trim() === "") throw new Error(`--${name} is a number of at least 0`);
  return number;
}

function main(args: readonly string[]): number {
  const { values } = parseArgs({
    args: args.filter((one) => one !== "--"),
    options: {
      seconds: { type: "string" },
      inputs: { type: "string" },
      seed: { type: "string", default: "1" },
      keep: { type: "string", default: "3" },
      json: { type: "string" },
    },
  });
  const endless = Number.POSITIVE_INFINITY;
  const result = fuzz({
    seed: numberOf("seed", values.seed),
    seeds: readSeeds(),
    inputs: values.inputs === undefined ? endless : numberOf("inputs", values.inputs),
    seconds: numberOf("seconds", values.seconds ?? (values.inputs === undefined ? "60" : "1e9")),
    keep: numberOf("keep", values.keep),
  });
  for (const { law, detail, reply } of result.findings) console.log(`${law}: ${detail}\n  ${JSON.stringify(reply)}\n`);
  const { violations, inputs, seconds, codeUnits } = result;
  const megabytes = (codeUnits / 1e6).toFixed(1);
  console.log(
    `${inputs} inputs (${megabytes} MB) in ${seconds.toFixed(1)} s, ${(inputs / seconds).toFixed(0)} a second`,
  );
  console.log(`crashes              ${violations.crash}`);
  console.log(`1 split matters      ${violations.invariance}`);
  console.log(`2 lost bytes         ${violations.conservation}`);
  console.log(`3 arguments          ${violations.arguments}`);
  console.log(`4 ids, finish_reason ${violations.ids}`);
  console.log(`6 time               ${violations.time}`);
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(result, null, 2)}\n`);
  return Object.values(violations).some((count) => count > 0) ? 1 : 0;
}

try {
  process.exitCode = main(process.argv.slice(2));
} catch (error) {
  console.error(`fuzz: ${error instanceof Error ? error.message : error}\n${USAGE}`);
  process.exitCode = 2;
}
