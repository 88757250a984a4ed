import type { Scenario } from "../scenario.ts";
import { brokenConfig } from "./config-faults.ts";
import { processEnds } from "./process-ends.ts";
import { processFaults } from "./process-faults.ts";
import { processLimits } from "./process-limits.ts";
import { recovery } from "./recovery.ts";

/** F46 to F56: the config, the process, its limits, and what comes back after an outage. */
export const processRows: readonly Scenario[] = [
  brokenConfig,
  ...processEnds,
  ...processFaults,
  ...recovery,
  ...processLimits,
];
