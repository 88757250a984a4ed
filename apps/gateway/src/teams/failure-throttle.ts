import { isIPv6 } from "node:net";

export interface FailureThrottleOptions {
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
  /** Failed tries of one address before it is throttled; default 60. */
  readonly burst?: number;
  /** Failed tries a second that are forgiven; default 1. */
  readonly perSecond?: number;
  /** Addresses remembered; default 10,000. The one that failed longest ago is forgotten first. */
  readonly maxAddresses?: number;
}

/** Counts failed keys by client address. Right keys pass, whoever else fails behind the same address. */
export interface FailureThrottle {
  /** Notes a failed try. 0 = answer that the key is wrong; else it is one too many: milliseconds to wait. */
  fail(address: string): number;
  /** Addresses remembered now. */
  readonly size: number;
}

interface Tries {
  /** Tries that are not forgiven yet. */
  level: number;
  at: number;
}

/** Slows down who tries keys, in bounded memory. IPv6 clients count by their /64 network. */
export function createFailureThrottle(options: FailureThrottleOptions): FailureThrottle {
  const { now, burst = 60, perSecond = 1, maxAddresses = 10_000 } = options;
  const byNetwork = new Map<string, Tries>();
  return {
    get size() {
      return byNetwork.size;
    },
    fail(address) {
      const network = networkOf(address);
      const time = now();
      const tries = byNetwork.get(network) ?? { level: 0, at: time };
      tries.level = Math.max(0, tries.level - ((time - tries.at) / 1000) * perSecond);
      tries.at = time;
      const excess = tries.level + 1 - burst;
      if (excess <= 0) tries.level += 1;
      // The Map's order is the order of the last failure, so that its first entry is the one to forget.
      byNetwork.delete(network);
      byNetwork.set(network, tries);
      if (byNetwork.size > maxAddresses) byNetwork.delete(byNetwork.keys().next().value as string);
      return excess <= 0 ? 0 : Math.ceil((excess / perSecond) * 1000);
    },
  };
}

function networkOf(address: string): string {
  const mapped = /^::ffff:(\d{1,3}(?:\.\d{1,3}){3})$/i.exec(address);
  if (mapped) return mapped[1] as string;
  if (!isIPv6(address)) return address.slice(0, 64);
  const [head = "", tail] = address.split("%")[0]!.toLowerCase().split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const groups = [...left, ...Array.from({ length: Math.max(0, 8 - left.length - right.length) }, () => "0"), ...right];
  return groups
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ""))
    .join(":");
}
