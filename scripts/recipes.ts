import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { deployFiles } from "../apps/gateway/src/recipes/deploy-files.ts";
import { withRecipes } from "../apps/gateway/src/recipes/engines-doc.ts";

const folder = fileURLToPath(new URL("../deploy/engines/", import.meta.url));

// What a recipe is called may have changed: nothing of before is to stay.
rmSync(folder, { recursive: true, force: true });
for (const [path, text] of deployFiles()) {
  const file = join(folder, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text, { mode: path.endsWith(".sh") ? 0o755 : 0o644 });
}
const page = fileURLToPath(new URL("../docs/engines.md", import.meta.url));
writeFileSync(page, withRecipes(readFileSync(page, "utf8")));
console.log(`written: ${folder}, and what ${page} shows of it`);
