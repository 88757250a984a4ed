import { breakerMoves } from "./breaker-moves.ts";
import { breakerRecovery } from "./breaker-recovery.ts";
import { clientGone } from "./client-gone.ts";
import { extraAttempts } from "./extra-attempts.ts";
import { falseSuccesses } from "./false-successes.ts";
import { idleStreamCost } from "./idle-stream-cost.ts";
import { junkNames } from "./junk-names.ts";
import { keyTiming } from "./key-timing.ts";
import { logVolume } from "./log-volume.ts";
import { lostTokens } from "./lost-tokens.ts";
import { malformedHttp } from "./malformed-http.ts";
import type { Measure } from "./measure.ts";
import { memoryOverTime } from "./memory-over-time.ts";
import { metricsTruth } from "./metrics-truth.ts";
import { noisyNeighbour } from "./noisy-neighbour.ts";
import { probeTokens } from "./probe-tokens.ts";
import { rollingRestart } from "./rolling-restart.ts";
import { routes } from "./routes.ts";
import { secrets } from "./secrets.ts";
import { overAdmission, storeLoss, underAdmissionShare } from "./shared-limits.ts";
import { slowReaders } from "./slow-readers.ts";
import { ssrf } from "./ssrf.ts";
import { cpuAfterwards, eventLoopLag } from "./under-faults.ts";

/** Every measure by its number in the scoreboard; one file each. */
export const measures = {
  S3: falseSuccesses,
  S4: lostTokens,
  S5: clientGone,
  S6: extraAttempts,
  S7: overAdmission,
  S8: underAdmissionShare,
  S9: storeLoss,
  S10: breakerRecovery,
  S11: breakerMoves,
  S12: memoryOverTime,
  S13: idleStreamCost,
  S14: slowReaders,
  S15: eventLoopLag,
  S16: cpuAfterwards,
  S17: rollingRestart,
  S18: secrets,
  S19: junkNames,
  S20: logVolume,
  S21: routes,
  S22: ssrf,
  S24: malformedHttp,
  S25: noisyNeighbour,
  S26: metricsTruth,
  S27: probeTokens,
  S29: keyTiming,
} as const satisfies Record<string, Measure>;

export type MeasureName = keyof typeof measures;
