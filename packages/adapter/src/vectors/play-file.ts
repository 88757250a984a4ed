import { readFileSync } from "node:fs";
import { findDialect } from "../dialects.ts";
import { checkVector, type Play } from "./check-vector.ts";
import type { Split } from "./splits.ts";
import { readVectors, type Vector, type VectorFile } from "./vector.ts";

/** How the vectors of a file are played. */
export interface Playing {
  readonly play: Play;
  /** The ways in which a vector's input is cut. */
  readonly splitsOf: (vector: Vector) => Iterable<Split>;
  /** Vectors played at the same time; 1 unless given. */
  readonly atOnce?: number;
}

/** Reads a file of vectors. @throws Error that names it and says what is wrong. */
export function readVectorFile(path: string): VectorFile {
  try {
    return readVectors(readFileSync(path, "utf8"));
  } catch (error) {
    throw new Error(`${path}: ${error instanceof Error ? error.message : error}`);
  }
}

/** Prints each vector that comes out wrong, and answers how many they are. */
export async function playFile({ vectors, toolSet }: VectorFile, playing: Playing): Promise<number> {
  const unknown = new Set(vectors.map(({ dialect }) => dialect).filter((name) => findDialect(name) === undefined));
  for (const name of unknown) console.log(`dialect ${name} is not known: read as auto`);
  let failed = 0;
  const left = vectors.values();
  const work = async (): Promise<void> => {
    for (const vector of left) {
      const wrong = await checkVector(vector, toolSet, playing.splitsOf(vector), playing.play).catch((error) => ({
        split: "thrown",
        got: error instanceof Error ? (error.stack ?? error.message) : String(error),
      }));
      if (wrong === undefined) continue;
      failed++;
      console.log(`${vector.id} (${vector.dialect}, ${wrong.split})`);
      console.log(`  input    ${JSON.stringify(vector.input)}`);
      console.log(`  expected ${JSON.stringify(vector.expect)}`);
      console.log(`  got      ${wrong.got}`);
    }
  };
  await Promise.all(Array.from({ length: playing.atOnce ?? 1 }, work));
  return failed;
}
