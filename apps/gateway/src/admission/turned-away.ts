import { GatewayError } from "@signalbox/protocol";

/**
 * Why a request may not wait, or no longer. `team_backlog`: its team has too much waiting already. `queue_full`,
 * `expected_wait`, `max_wait`: too many others have. `shutdown`: the gateway ends.
 */
export type TurnedAwayReason = "team_backlog" | "queue_full" | "expected_wait" | "max_wait" | "shutdown";

/** What is known of a request that is turned away. */
export interface Standpoint {
  readonly team: string;
  /** The first model of its chain. */
  readonly model: string;
  /** Requests that are served before one that comes now. */
  readonly before: number;
  /** Of its own team. */
  readonly own: number;
  /** Until one that comes now is served. */
  readonly expectedMs: number;
  readonly maxWaitMs: number;
}

const LONGEST_RETRY_MS = 300_000;

/** What a client is told that is turned away: 429 where its own team's requests are in the way, else 503. */
export function turnedAway(reason: TurnedAwayReason, standpoint: Standpoint): GatewayError {
  const { team, model, before, own, expectedMs, maxWaitMs } = standpoint;
  if (reason === "shutdown")
    return new GatewayError("gateway_overloaded", "the gateway is shutting down; send the request again", {
      retryAfterMs: 1000,
    });
  const retryAfterMs = Math.min(LONGEST_RETRY_MS, Math.max(1000, Math.ceil(expectedMs)));
  const wait = `expected wait ${seconds(expectedMs)}, at most ${seconds(maxWaitMs)}; try again in ${Math.ceil(retryAfterMs / 1000)} s`;
  if (reason === "team_backlog") {
    const message = `team ${team}: ${requests(own)} of it wait already for ${model}; ${wait}`;
    return new GatewayError("team_queue_full", message, { retryAfterMs });
  }
  const had = reason === "max_wait" ? "had room in time" : "has room now";
  const message = `no backend of ${model} ${had}: ${requests(before)} wait before this one; ${wait}`;
  return new GatewayError("backends_overloaded", message, { retryAfterMs });
}

const requests = (count: number): string => (count === 1 ? "1 request" : `${count} requests`);
const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
