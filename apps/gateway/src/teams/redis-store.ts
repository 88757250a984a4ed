import { randomBytes } from "node:crypto";
import { Bag, type Bagged } from "../runtime/bag.ts";
import { amountOf, estimatesOf } from "./amounts.ts";
import { HoldTimes } from "./hold-times.ts";
import type { Admission, Allowance, Claim, LimitState, LimitStore, Reservation, Used } from "./limits.ts";
import type { Quota } from "./quota.ts";
import { createRedisKeys, type RedisKeys } from "./redis-keys.ts";
import { refusalOf } from "./refusal.ts";
import { type ScriptCall, type ScriptRunner, scripts } from "./scripts.ts";

export interface RedisStoreOptions {
  readonly runner: ScriptRunner;
  /** What all keys begin with, as `{prefix}:`; `signalbox` unless given. */
  readonly prefix?: string;
  /** Milliseconds of a clock that never goes back; only for how long things took, what counts is timed by Redis' own clock. */
  readonly now: () => number;
  /** Leases of older reservations are not renewed; longer than any request may take. */
  readonly reservationTtlMs: number;
  /** After so long without a renewal what is held is free again; 30 s unless given. */
  readonly leaseMs?: number;
  /** Pause between two renewals; 10 s unless given. */
  readonly renewEveryMs?: number;
}

/** A store that all replicas share. */
export interface RedisStore extends LimitStore {
  /** Rejects as the runner does; then nothing is held for longer than a lease. */
  reserve(claim: Claim): Admission | Promise<Admission>;
  /** What counts against each quota now, in all replicas, with what is held. Rejects as the runner does. */
  used(quotas: readonly Quota[]): Promise<number[]>;
  /**
   * Takes over a request that was admitted elsewhere, at `time` by Redis' clock, as if it had been reserved then: what it
   * holds is held from the next renewal on. What it took of windows is counted by `seeding`, not here.
   */
  adopt(claim: Claim, time: number): Reservation;
  /** How to count what was used elsewhere, at most 100 quotas at once; may be sent twice within 2 minutes. */
  seeding(amounts: readonly (readonly [Quota, number])[]): ScriptCall;
  /** Renews the leases of all that is under way; runs by itself. Rejects as the runner does. */
  renew(): Promise<void>;
  /** Stops renewing, and resolves when all that ended so far was told, or could not be. */
  close(): Promise<void>;
}

/** Lines and ids sent in one renewal: it holds up others for less than a millisecond. */
const RENEWED_AT_ONCE = 100;
/** A settlement whose answer was lost may be sent again for so long, and still counts once. */
const REMEMBERED_MS = 120_000;

/** Counts in Redis: one script call a request to reserve, and one to settle, which nobody waits for. */
export function createRedisStore(options: RedisStoreOptions): RedisStore {
  return new SharedCounts(options);
}

class SharedCounts implements RedisStore {
  readonly keys: RedisKeys;
  readonly now: () => number;
  readonly holdTimes = new HoldTimes();
  /** Those that hold something. */
  readonly open = new Bag<SharedReservation>();
  readonly #runner: ScriptRunner;
  readonly #ttlMs: number;
  readonly #leaseMs: number;
  readonly #timer: NodeJS.Timeout;
  /** Ends that were sent and not answered yet. */
  #untold = 0;
  #allTold: (() => void) | undefined;
  readonly #instance = randomBytes(6).toString("base64url");
  #count = 0;

  constructor({ runner, prefix, now, reservationTtlMs, leaseMs = 30_000, renewEveryMs = 10_000 }: RedisStoreOptions) {
    this.keys = createRedisKeys(prefix);
    this.now = now;
    this.#runner = runner;
    this.#ttlMs = reservationTtlMs;
    this.#leaseMs = leaseMs;
    // What cannot be renewed now is renewed the next time, and held again if its lease was over by then.
    this.#timer = setInterval(() => void this.renew().catch(() => {}), renewEveryMs).unref();
  }

  reserve(claim: Claim): Admission | Promise<Admission> {
    if (claim.quotas.length > 0) return this.#reserve(claim);
    return { ok: true, reservation: this.#reservation(claim.quotas, [], "", 0), state: {} };
  }

  async #reserve(claim: Claim): Promise<Admission> {
    const { quotas } = claim;
    const amounts = estimatesOf(claim, limitOf);
    const lines = this.keys.holdsOf(quotas, amounts);
    const id = this.#nextId();
    const keys = [this.keys.leases, this.keys.holds];
    const args: (string | number)[] = [id, this.#leaseMs, lines];
    for (let at = 0; at < quotas.length; at++) {
      const { key, kind, span, allowance } = this.keys.of(quotas[at]!);
      keys.push(key);
      args.push(kind, span, quotas[at]!.limit, amounts[at]!, allowance);
    }
    const answer = (await this.#runner.run(scripts.reserve, keys, args)) as number[];
    const [ok, time, ...state] = answer as [number, number, ...number[]];
    if (ok === 1) {
      const reservation = this.#reservation(quotas, amounts, lines, time, id);
      return { ok: true, reservation, state: stateOf(quotas, state) };
    }
    const quota = quotas[answer[8]! - 1]!;
    const shortage = { quota, limit: quota.limit, waitMs: answer[9]!, holdMs: this.holdTimes.of(quota), time };
    return { ok: false, ...refusalOf(shortage), state: stateOf(quotas, state) };
  }

  async used(quotas: readonly Quota[]): Promise<number[]> {
    if (quotas.length === 0) return [];
    const known = quotas.map((quota) => this.keys.of(quota));
    const keys = known.map(({ key }) => key);
    const args = known.flatMap(({ kind, span }) => [kind, span]);
    return (await this.#runner.run(scripts.used, keys, args)) as number[];
  }

  adopt(claim: Claim, time: number): Reservation {
    const amounts = estimatesOf(claim, limitOf);
    return this.#reservation(claim.quotas, amounts, this.keys.holdsOf(claim.quotas, amounts), time);
  }

  seeding(amounts: readonly (readonly [Quota, number])[]): ScriptCall {
    const keys = [this.keys.ended(this.#nextId())];
    const args: (string | number)[] = [REMEMBERED_MS];
    for (const [quota, amount] of amounts) {
      const { key, kind, span } = this.keys.of(quota);
      keys.push(key);
      args.push(kind, span, amount);
    }
    return { script: scripts.seed, keys, args };
  }

  async renew(): Promise<void> {
    const oldest = this.now() - this.#ttlMs;
    const open = [...this.open.items];
    for (const reservation of open) if (reservation.began <= oldest) this.open.delete(reservation);
    for (let from = 0; from < open.length; from += RENEWED_AT_ONCE) {
      const args: (string | number)[] = [this.#leaseMs, this.keys.ended("")];
      // Some may have ended while the ones before were renewed.
      for (const { id, lines, place } of open.slice(from, from + RENEWED_AT_ONCE)) if (place >= 0) args.push(id, lines);
      if (args.length > 2) await this.#runner.run(scripts.renew, [this.keys.leases, this.keys.holds], args);
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    if (this.#untold === 0) return;
    await new Promise<void>((resolve) => {
      this.#allTold = resolve;
    });
  }

  /** Sends how a reservation ended. Nobody waits for it, and the runner knows best what to do when Redis does not answer. */
  tell(keys: readonly string[], args: readonly (string | number)[]): void {
    this.#untold++;
    const answered = (): void => {
      this.#untold--;
      if (this.#untold === 0) this.#allTold?.();
    };
    this.#runner.run(scripts.settle, keys, args).then(answered, answered);
  }

  #reservation(
    quotas: readonly Quota[],
    amounts: readonly number[],
    lines: string,
    time: number,
    id = this.#nextId(),
  ): Reservation {
    const reservation = new SharedReservation(this, id, quotas, amounts, lines, time);
    if (lines !== "") this.open.add(reservation);
    return reservation;
  }

  #nextId(): string {
    return this.#instance + (this.#count++).toString(36);
  }
}

const limitOf = ({ limit }: Quota): number => limit;

function stateOf(
  quotas: readonly Quota[],
  [requestsAt, requests, requestsMs, tokensAt, tokens, tokensMs]: readonly number[],
): LimitState {
  const allowance = (place: number, remaining: number, resetMs: number): Allowance => ({
    limit: quotas[place - 1]!.limit,
    remaining,
    resetMs,
  });
  return {
    ...(requestsAt! > 0 && { requests: allowance(requestsAt!, requests!, requestsMs!) }),
    ...(tokensAt! > 0 && { tokens: allowance(tokensAt!, tokens!, tokensMs!) }),
  };
}

class SharedReservation implements Reservation, Bagged {
  place = -1;
  readonly id: string;
  /** What it holds, as the scripts read it. */
  readonly lines: string;
  readonly began: number;
  #ended = false;
  readonly #counts: SharedCounts;
  readonly #quotas: readonly Quota[];
  readonly #amounts: readonly number[];
  /** When it was counted, by Redis' clock. */
  readonly #time: number;

  constructor(
    counts: SharedCounts,
    id: string,
    quotas: readonly Quota[],
    amounts: readonly number[],
    lines: string,
    time: number,
  ) {
    this.#counts = counts;
    this.id = id;
    this.#quotas = quotas;
    this.#amounts = amounts;
    this.lines = lines;
    this.#time = time;
    this.began = counts.now();
  }

  settle(used: Used): void {
    if (this.#ended) return;
    const heldMs = this.#counts.now() - this.began;
    for (const quota of this.#quotas) if (quota.span.kind === "held") this.#counts.holdTimes.note(quota, heldMs);
    this.#end(used);
  }

  release(): void {
    if (!this.#ended) this.#end(undefined);
  }

  #end(used: Used | undefined): void {
    this.#ended = true;
    const counts = this.#counts;
    counts.open.delete(this);
    const keys = [counts.keys.leases, counts.keys.holds, counts.keys.ended(this.id)];
    const changes: (string | number)[] = [];
    for (let at = 0; at < this.#quotas.length; at++) {
      const quota = this.#quotas[at]!;
      const taken = this.#amounts[at]!;
      const actual = used === undefined ? -1 : amountOf(quota.meter, used);
      const { key, kind, span } = counts.keys.of(quota);
      // A window in which everything stays as it was counted needs no word.
      if (kind === "w" && actual === taken) continue;
      keys.push(key);
      changes.push(kind, span, taken, actual);
    }
    if (changes.length === 0) return;
    const held = this.lines === "" ? 0 : 1;
    counts.tell(keys, [this.id, this.#time, REMEMBERED_MS, held, ...changes]);
  }
}
