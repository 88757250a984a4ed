import type { LimitState } from "./limits.ts";
import type { Quota } from "./quota.ts";
import { allowanceOf } from "./tightest.ts";

/** A quota, as the scripts read it. */
interface SharedQuota {
  readonly key: string;
  /** Window, period or held. */
  readonly kind: "w" | "p" | "h";
  readonly span: string | number;
  /** Whether it bears on what the client is told of requests, of tokens, or of neither. */
  readonly allowance: keyof LimitState | "-";
}

/** The names of everything in Redis. All begin with one hash tag, so that one script may take any of them together. */
export interface RedisKeys {
  /** The version of the data's form. */
  readonly version: string;
  /** When the lease of each reservation ends. */
  readonly leases: string;
  /** What each reservation holds. */
  readonly holds: string;
  /** The gateways that count here. */
  readonly replicas: string;
  /** The name of the data that stands here: another one, and what was here is gone. */
  readonly epoch: string;
  /** The mark that a reservation has ended. */
  ended(id: string): string;
  of(quota: Quota): SharedQuota;
  /** What a reservation holds, a line for each quota, as the scripts read it; empty = nothing. */
  holdsOf(quotas: readonly Quota[], amounts: readonly number[]): string;
}

/** Names for a prefix, `signalbox` unless given. */
export function createRedisKeys(prefix = "signalbox"): RedisKeys {
  const base = `{${prefix}}:`;
  // By the quota itself: a reload makes new ones, and the old ones go with their config.
  const known = new WeakMap<Quota, SharedQuota>();
  const of = (quota: Quota): SharedQuota => {
    let shared = known.get(quota);
    if (shared === undefined) {
      shared = shareable(quota, base);
      known.set(quota, shared);
    }
    return shared;
  };
  return {
    version: `${base}version`,
    leases: `${base}leases`,
    holds: `${base}holds`,
    replicas: `${base}replicas`,
    epoch: `${base}epoch`,
    ended: (id) => `${base}ended:${id}`,
    of,
    holdsOf(quotas, amounts) {
      let lines = "";
      for (let at = 0; at < quotas.length; at++) {
        const { kind, key } = of(quotas[at]!);
        if (kind !== "w" && amounts[at]! > 0) lines += `${kind} ${amounts[at]} ${key}\n`;
      }
      return lines;
    },
  };
}

function shareable(quota: Quota, base: string): SharedQuota {
  const { id, meter, span } = quota;
  const key = `${base}quota:${id}`;
  const allowance = allowanceOf(meter) ?? "-";
  if (span.kind === "window") return { key, kind: "w", span: span.ms, allowance };
  if (span.kind === "period") return { key, kind: "p", span: span.every, allowance };
  return { key, kind: "h", span: 0, allowance };
}
