import type { Scenario } from "./scenario.ts";
import { brokenStreams } from "./table/broken-streams.ts";
import { hostileClient } from "./table/hostile-client.ts";
import { noAnswer } from "./table/no-answer.ts";
import { processRows } from "./table/process.ts";
import { redis } from "./table/redis.ts";
import { wrongAnswers } from "./table/wrong-answers.ts";

/** Every row of the fault matrix, in its order. */
export const scenarios: readonly Scenario[] = [
  ...noAnswer,
  ...wrongAnswers,
  ...brokenStreams,
  ...redis,
  ...processRows,
  ...hostileClient,
];
