import { writeFileSync } from "node:fs";
import { dialectsDoc } from "./dialects-doc.ts";

/** Where the page lies in the repository. */
const target = new URL("../../../docs/dialects.md", import.meta.url);

writeFileSync(target, dialectsDoc());
