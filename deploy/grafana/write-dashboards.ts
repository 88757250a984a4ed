import { writeFileSync } from "node:fs";
import { dashboards, textOf } from "./all-dashboards.ts";

for (const [name, dashboard] of Object.entries(dashboards)) {
  writeFileSync(new URL(`dashboards/${name}.json`, import.meta.url), textOf(dashboard));
}
