import { parseArgs } from "node:util";
import { playFile, playParser, readVectorFile, splits, type VectorFile } from "@signalbox/adapter/vectors";
import { playThroughGateway } from "./play-through-gateway.ts";

const USAGE = `usage: pnpm vectors [--through-gateway] FILE...
  Plays each vector whole, cut in two at every place, one code unit at a time, and in 20 random splits.
  --through-gateway   lets simulated engines say it, and a client read it, with a gateway between them`;

/** Plays files of vectors, prints what comes out wrong, and answers the exit code. */
async function main(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    // `pnpm vectors -- FILE` hands the dashes on.
    args: args.filter((one) => one !== "--"),
    options: { "through-gateway": { type: "boolean", default: false } },
    allowPositionals: true,
  });
  if (positionals.length === 0) throw new Error("no file given");
  const files = positionals.map(readVectorFile);
  const play = values["through-gateway"] ? playThroughGateway : playThroughParser;
  let passed = 0;
  let failed = 0;
  for (const file of files) {
    const wrong = await play(file);
    failed += wrong;
    passed += file.vectors.length - wrong;
  }
  console.log(`${passed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

function playThroughParser(file: VectorFile): Promise<number> {
  return playFile(file, { play: playParser, splitsOf: ({ input }) => splits(input, 1) });
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(`vectors: ${error instanceof Error ? error.message : error}\n${USAGE}`);
  process.exitCode = 2;
}
