import { readdirSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";

/** The repository's folder. */
export const root = fileURLToPath(new URL("../../", import.meta.url));

/** False for what is no source: dependencies, caches, Git's own. */
export function isSourceFolder(name: string): boolean {
  return !name.startsWith(".") && name !== "node_modules" && name !== "coverage";
}

/** The paths of all files under `folder` of the repository, relative to the repository. */
export function filesUnder(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return isSourceFolder(entry.name) ? filesUnder(path) : [];
    return entry.isFile() ? [relative("", path)] : [];
  });
}
