import type { Scenario } from "./scenario.ts";
import { backendAfterCommit } from "./table/backend-after-commit.ts";
import { backendBeforeCommit } from "./table/backend-before-commit.ts";
import { hostileClient } from "./table/hostile-client.ts";
import { redis } from "./table/redis.ts";

/** Every row of the fault matrix, in its order. */
export const scenarios: readonly Scenario[] = [
  ...backendBeforeCommit,
  ...backendAfterCommit,
  ...redis,
  ...hostileClient,
];
