import { readFileSync, writeFileSync } from "node:fs";
import { withMetricTable } from "./metrics-doc.ts";

/** Where the page lies in the repository. */
const target = new URL("../../../../docs/metrics.md", import.meta.url);

writeFileSync(target, withMetricTable(readFileSync(target, "utf8")));
