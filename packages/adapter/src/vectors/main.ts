import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { findDialect } from "../dialects.ts";
import { checkVector, type Play } from "./check-vector.ts";
import { playParser } from "./play-parser.ts";
import { splits } from "./splits.ts";
import { readVectors, type VectorFile } from "./vector.ts";

const USAGE = `usage: pnpm vectors FILE...
  Plays each vector whole, cut in two at every place, one code unit at a time, and in 20 random splits.`;

/** Plays files of vectors, prints what comes out wrong, and answers the exit code. */
async function main(args: readonly string[]): Promise<number> {
  // `pnpm vectors -- FILE` hands the dashes on.
  const { positionals } = parseArgs({ args: args.filter((one) => one !== "--"), options: {}, allowPositionals: true });
  if (positionals.length === 0) throw new Error("no file given");
  const files = positionals.map((path) => readFile(path));
  let passed = 0;
  let failed = 0;
  for (const file of files) {
    const wrong = await playFile(file, playParser);
    failed += wrong;
    passed += file.vectors.length - wrong;
  }
  console.log(`${passed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

function readFile(path: string): VectorFile {
  try {
    return readVectors(readFileSync(path, "utf8"));
  } catch (error) {
    throw new Error(`${path}: ${error instanceof Error ? error.message : error}`);
  }
}

/** Answers how many vectors of the file came out wrong. */
async function playFile({ vectors, toolSet }: VectorFile, play: Play): Promise<number> {
  const unknown = new Set(vectors.map(({ dialect }) => dialect).filter((name) => findDialect(name) === undefined));
  for (const name of unknown) console.log(`dialect ${name} is not known: read as auto`);
  let failed = 0;
  for (const vector of vectors) {
    let wrong: Awaited<ReturnType<typeof checkVector>>;
    try {
      wrong = await checkVector(vector, toolSet, splits(vector.input, 1), play);
    } catch (error) {
      wrong = { split: "thrown", got: error instanceof Error ? (error.stack ?? error.message) : String(error) };
    }
    if (wrong === undefined) continue;
    failed++;
    console.log(`${vector.id} (${vector.dialect}, ${wrong.split})`);
    console.log(`  input    ${JSON.stringify(vector.input)}`);
    console.log(`  expected ${JSON.stringify(vector.expect)}`);
    console.log(`  got      ${wrong.got}`);
  }
  return failed;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(`vectors: ${error instanceof Error ? error.message : error}\n${USAGE}`);
  process.exitCode = 2;
}
