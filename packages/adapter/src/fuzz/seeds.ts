import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { readVectors } from "../vectors/vector.ts";
import type { Seed } from "./replies.ts";

const folder = join(import.meta.dirname, "../../vectors");

/** All vectors of the package. */
export function readSeeds(): Seed[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith(".json"))
    .flatMap((name) => {
      const { vectors, toolSet } = readVectors(readFileSync(join(folder, name), "utf8"));
      return vectors.map((reply) => ({ reply, tools: toolSet }));
    });
}
