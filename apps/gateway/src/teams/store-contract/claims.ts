import type { Admission, Claim, LimitStore, Used } from "../limits.ts";
import type { Meter, Quota, Span } from "../quota.ts";

/** A store whose clock stands still until it is told to go on. */
export interface StoreUnderTest {
  readonly store: LimitStore;
  /** What counts against a quota now, with what is held. */
  used(quota: Quota): Promise<number>;
  /** Milliseconds since 1970 by the store's clock. */
  now(): number;
  /** All that is under way stays so, as in processes that live. */
  advance(ms: number): Promise<void>;
  /** Another process that counts in the same place; undefined = there can be none. */
  readonly other: LimitStore | undefined;
}

export const minute = 60_000;

/** A quota of team a. */
export function quota(meter: Meter, limit: number, span: Span | number = minute, scope = "team a"): Quota {
  const kept: Span = meter === "concurrent" ? { kind: "held" } : typeof span === "number" ? windowOf(span) : span;
  const length = kept.kind === "window" ? kept.ms : kept.kind === "period" ? kept.every : "";
  return { id: `${scope.replace(" ", ":")}|${meter}|${length}`, scope, meter, limit, span: kept };
}

const windowOf = (ms: number): Span => ({ kind: "window", ms });

/** What a request claims; `tokens` are those of its reply. */
export function claim(quotas: readonly Quota[], tokens = 0, rest: Partial<Used> = {}): Claim {
  return { quotas, ...took(tokens), ...rest };
}

/** What a reply of so many tokens took. */
export function took(tokens: number, rest: Partial<Used> = {}): Used {
  return { inputTokens: 0, outputTokens: tokens, cost: 0, gpuMs: 0, ...rest };
}

/** @throws Error when it was refused. */
export function admitted(admission: Admission) {
  if (!admission.ok) throw new Error(`refused: ${admission.message}`);
  return admission.reservation;
}

/** @throws Error when it was admitted. */
export function refused(admission: Admission) {
  if (admission.ok) throw new Error("was admitted");
  return admission;
}

/** Makes a store that has counted nothing yet. */
export type SetUp = () => StoreUnderTest | Promise<StoreUnderTest>;
