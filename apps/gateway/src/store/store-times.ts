/** How long a request waits for the shared store; all that wait go on together when the first has waited for it. */
export const RESERVE_MS = 48;
/** An answer that comes so soon after nobody waited for it any more was a stumble, of which there may be some in a while. */
export const STUMBLE_MS = 50;
export const STUMBLES = 3;
export const STUMBLES_MS = 10_000;
/** Between two beats while all is well; the totals of all replicas come with them. */
export const BEAT_MS = 1000;
/** Between two looks at a store that is away, and at one that is coming back. */
export const PROBE_MS = 200;
export const RETURN_MS = 100;
/** While it has never been there: a start is to find it at once. */
export const FIRST_MS = 25;
/** Quick answers in a row that show that it is back. */
export const QUICK = 2;
/** A connection that is silent for so long is given up. */
export const SILENT_MS = 1000;
/** How long a replica waits for the others to tell Redis what they admitted meanwhile. */
export const OTHERS_MS = 3000;
/** A store that goes away again so soon after its return is left alone for longer each time. */
export const STEADY_MS = 10_000;
export const FIRST_HOLD_MS = 500;
export const MOST_HOLD_MS = 15_000;
/** Quotas that are asked after, or told of, in one call; and of how many one beat asks. */
export const QUOTAS_AT_ONCE = 100;
export const TOTALS_A_BEAT = 500;
export const MOST_KEPT = 20_000;
