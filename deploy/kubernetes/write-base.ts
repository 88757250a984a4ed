import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { installTool, repository } from "../tools.ts";
import { baseFiles } from "./base-files.ts";

const helm = installTool("helm");
if ("reason" in helm) {
  console.error(helm.reason);
  process.exit(1);
}
for (const [path, text] of baseFiles(helm.path)) {
  const file = `${repository}deploy/${path}`;
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  console.log(`deploy/${path}`);
}
