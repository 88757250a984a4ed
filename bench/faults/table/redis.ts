import type { Scenario } from "../scenario.ts";

const skipped = "limits are not shared through Redis yet";

/** F40 to F45: the store that replicas share. */
export const redis: readonly Scenario[] = [
  { id: "F40", title: "down at boot -> starts degraded, ready, one warning", skipped },
  { id: "F41", title: "killed under load -> 50 ms more for a second at most, then limits of a local share", skipped },
  { id: "F42", title: "frozen -> the same", skipped },
  { id: "F43", title: "40 ms slower -> stays; 200 ms slower -> limits of a local share", skipped },
  { id: "F44", title: "failover, READONLY, MOVED, LOADING, NOSCRIPT -> recovered without a restart", skipped },
  { id: "F45", title: "clocks that differ, FLUSHALL, recovery -> no effect, no crash, no stampede", skipped },
];
