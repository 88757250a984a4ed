import { writeFileSync } from "node:fs";
import { cliDoc } from "./cli-doc.ts";

writeFileSync(new URL("../../../../docs/cli.md", import.meta.url), cliDoc());
