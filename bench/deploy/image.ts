import { readFileSync } from "node:fs";
import { repository } from "../../deploy/tools.ts";

/** What deploy/Dockerfile says of how its image runs. */
export interface Image {
  /** The start command, whole. */
  readonly start: readonly string[];
  readonly health: readonly string[];
  readonly user: number;
  readonly group: number;
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Reads the last stage of a Dockerfile.
 * @throws Error when an instruction that is looked for is not there.
 */
export function readImage(text = readFileSync(`${repository}deploy/Dockerfile`, "utf8")): Image {
  const lines = text.replaceAll("\\\n", " ").split("\n");
  const last = lines.slice(lines.findLastIndex((line) => line.startsWith("FROM ")));
  const of = (instruction: string): string => {
    const found = last.findLast((line) => line.startsWith(`${instruction} `));
    if (found === undefined) throw new Error(`deploy/Dockerfile: its last stage has no ${instruction}`);
    return found.slice(instruction.length + 1);
  };
  const words = (instruction: string): string[] => {
    const line = of(instruction);
    return JSON.parse(line.slice(line.indexOf("["))) as string[];
  };
  const [user, group] = of("USER").split(":").map(Number) as [number, number];
  const env = Object.fromEntries(
    of("ENV")
      .split(" ")
      .map((each) => [each.slice(0, each.indexOf("=")), each.slice(each.indexOf("=") + 1)]),
  );
  return { start: [...words("ENTRYPOINT"), ...words("CMD")], health: words("HEALTHCHECK"), user, group, env };
}
