import { wordsOf } from "../runtime/words-of.ts";
import type { Admission, Claim, LimitStore, Reservation } from "../teams/limits.ts";
import type { Quota } from "../teams/quota.ts";
import { createRedisStore, type RedisStore } from "../teams/redis-store.ts";
import type { Asked } from "./asked.ts";
import { Backlog } from "./backlog.ts";
import type { RedisConnection } from "./connection.ts";
import { DeadlineQueue } from "./deadline-queue.ts";
import { Doubt } from "./doubt.ts";
import { type Beat, Heartbeat } from "./heartbeat.ts";
import { LocalCounts } from "./local-counts.ts";
import { NotedReservation } from "./noted-reservation.ts";
import { prepareRedis } from "./prepare-redis.ts";
import { ReservationRunner } from "./reservation-runner.ts";
import { ScriptTurns } from "./script-turns.ts";
import type { StoreLevel, StoreSignals, StoreState } from "./store-level.ts";
import {
  BEAT_MS,
  FIRST_HOLD_MS,
  FIRST_MS,
  MOST_HOLD_MS,
  MOST_KEPT,
  OTHERS_MS,
  PROBE_MS,
  QUICK,
  QUOTAS_AT_ONCE,
  RESERVE_MS,
  RETURN_MS,
  SILENT_MS,
  STEADY_MS,
  STUMBLE_MS,
} from "./store-times.ts";
import { Totals } from "./totals.ts";
import { Silent, within } from "./within.ts";

export interface SharedStoreOptions {
  readonly connection: RedisConnection;
  readonly prefix: string;
  /** Replicas that are assumed, at least, while Redis cannot be asked. */
  readonly instances: number;
  readonly reservationTtlMs: number;
  readonly signals: StoreSignals;
  readonly random?: () => number;
}

/** A store that all replicas share while Redis answers in time, and of which each has its share while it does not. */
export interface SharedStore extends LimitStore {
  readonly level: StoreLevel;
  /** Resolves when it is known whether Redis is there, within a second. */
  readonly started: Promise<void>;
  /** What counts against each quota now in all replicas. Rejects while Redis is away. */
  usedOf(quotas: readonly Quota[]): Promise<readonly number[]>;
  /** True for the first who asks by this name, in whichever replica, for so many milliseconds. Rejects while Redis is away. */
  isFirst(name: string, ms: number): Promise<boolean>;
  /** Tells Redis what it can still be told, and that this replica leaves. */
  close(): Promise<void>;
}

/** Opens the store; it looks after itself from now on. */
export function createSharedStore(options: SharedStoreOptions): SharedStore {
  return new Store(options);
}

class Store implements SharedStore {
  readonly started: Promise<void>;
  readonly #options: SharedStoreOptions;
  readonly #redis: RedisStore;
  readonly #heart: Heartbeat;
  readonly #local: LocalCounts;
  readonly #asked = new DeadlineQueue<Asked>(RESERVE_MS, () => this.#suspect());
  /** What was used without Redis: it has to know before it may decide again. */
  readonly #untold: Backlog;
  readonly #runner: ReservationRunner;
  #state: StoreState = "local";
  /** Runs while it is not clear yet whether Redis is away. */
  readonly #doubt = new Doubt();
  #why: string | undefined = "Redis was not heard yet";
  #since = performance.now();
  #timer: NodeJS.Timeout | undefined;
  #beating = false;
  #closed = false;
  #begin: () => void = () => {};
  /** The data that is known to stand in Redis; undefined = none was seen yet. */
  #epoch: string | undefined;
  /** Of Redis' clock, before ours. */
  #clockAheadMs = 0;
  #quick = 0;
  /** When its return was first seen, by Redis' clock and by ours; undefined = it is not returning. */
  #returning: { readonly time: number; readonly at: number } | undefined;
  /** Redis is asked about all that this replica's share admits: the others may decide by its word alone already. */
  #joining = false;
  #holdMs = 0;
  #holdUntil = 0;
  readonly #totals: Totals;

  constructor(options: SharedStoreOptions) {
    const { connection, prefix, instances, reservationTtlMs, signals } = options;
    const now = (): number => performance.now();
    this.#options = options;
    const kept = { runner: connection, most: MOST_KEPT, now, onDropped: (count: number) => signals.dropped(count) };
    this.#untold = new Backlog(kept);
    this.#runner = new ReservationRunner({
      ...kept,
      runner: new ScriptTurns(connection),
      isThere: () => this.#state === "shared",
    });
    this.#redis = createRedisStore({ runner: this.#runner, prefix, now, reservationTtlMs });
    this.#heart = new Heartbeat(connection, prefix);
    this.#local = new LocalCounts({ now, wallNow: Date.now, reservationTtlMs, instances });
    this.#totals = new Totals(this.#local, this.#redis);
    this.#local.share.begin();
    this.started = new Promise((resolve) => {
      this.#begin = resolve;
      setTimeout(resolve, SILENT_MS).unref();
    });
    void this.started.then(() => this.#tellStart());
    this.#schedule(0);
  }

  get level(): StoreLevel {
    const { connection } = this.#options;
    return {
      state: this.#state,
      address: connection.address,
      why: this.#state === "shared" ? undefined : this.#why,
      instances: this.#local.share.live,
      backlog: this.#runner.kept + this.#untold.size,
      sinceMs: performance.now() - this.#since,
    };
  }

  reserve(claim: Claim): Admission | Promise<Admission> {
    this.#local.know(claim.quotas);
    if (claim.quotas.length === 0 || this.#doubt.isOpen) return this.#local.reserve(claim);
    if (this.#state === "shared") return this.#ask(claim, undefined);
    if (!this.#joining) return this.#local.reserve(claim);
    const own = this.#local.reserveOwn(claim);
    return own.ok ? this.#ask(claim, own.reservation) : own;
  }

  #ask(claim: Claim, own: Reservation | undefined): Promise<Admission> {
    return new Promise((resolve) => {
      const asked: Asked = { claim, own, resolve, since: performance.now(), over: false };
      this.#asked.add(asked);
      // Both may come when nobody waits any more.
      (this.#redis.reserve(claim) as Promise<Admission>).then(
        (admission) => this.#answer(asked, admission),
        (error: unknown) => {
          if (!asked.over) this.#goLocal(wordsOf(error));
        },
      );
    });
  }

  async usedOf(quotas: readonly Quota[]): Promise<readonly number[]> {
    if (this.#state === "local") throw new Error("Redis is away");
    return this.#redis.used(quotas);
  }

  async isFirst(name: string, ms: number): Promise<boolean> {
    if (this.#state === "local") throw new Error("Redis is away");
    const { connection } = this.#options;
    const key = `${connection.prefix}first:${name}`;
    return (await connection.command(["set", key, "1", "px", Math.ceil(ms), "nx"], { withinMs: SILENT_MS })) === "OK";
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#doubt.end();
    const { connection } = this.#options;
    for (const asked of this.#asked.takeAll()) this.#decideLocally(asked);
    const { key, id } = this.#heart.place;
    const told = async (): Promise<void> => {
      await this.#redis.close();
      await this.#runner.tellAll();
      await connection.command(["hdel", key, id], { withinMs: SILENT_MS });
    };
    const late = new Promise<void>((resolve) => setTimeout(resolve, SILENT_MS).unref());
    await Promise.race([told().catch(() => {}), late]);
    connection.close();
  }

  #answer(asked: Asked, admission: Admission): void {
    const ms = performance.now() - asked.since;
    if (asked.over) {
      // It was decided without: what Redis has reserved is free again.
      if (admission.ok) admission.reservation.release();
      if (this.#doubt.isOpen && ms < RESERVE_MS + STUMBLE_MS) this.#trust();
      return;
    }
    this.#options.signals.reserved(ms);
    asked.over = true;
    if (admission.ok) {
      const noted = asked.own ?? this.#local.note(asked.claim);
      const reservation = new NotedReservation(admission.reservation, noted);
      asked.resolve({ ok: true, reservation, state: admission.state });
      return;
    }
    asked.own?.release();
    asked.resolve(admission);
  }

  #decideLocally(asked: Asked): void {
    asked.over = true;
    this.#options.signals.reserved(performance.now() - asked.since);
    asked.own?.release();
    asked.resolve(this.#local.reserve(asked.claim));
  }

  /** Nobody waits any longer, and nobody else will. Redis is away unless it shows within a moment that it only stumbled. */
  #suspect(): void {
    const why = `no answer within ${RESERVE_MS} ms`;
    if (this.#joining || !this.#doubt.begin(() => this.#goLocal(why))) {
      this.#goLocal(why);
      return;
    }
    this.#local.share.begin();
    for (const asked of this.#asked.takeAll()) this.#decideLocally(asked);
  }

  /** It only stumbled: it is told of what was decided without it. */
  #trust(): void {
    this.#doubt.end();
    this.#local.share.end();
    void this.#tellUntold(performance.now() + this.#clockAheadMs);
  }

  /** From here on this replica decides by its share, and at once. */
  #goLocal(why: string): void {
    const time = performance.now();
    this.#why = why;
    this.#quick = 0;
    this.#returning = undefined;
    if (this.#state === "local") {
      this.#joining = false;
      for (const asked of this.#asked.takeAll()) this.#decideLocally(asked);
      return;
    }
    const doubted = this.#doubt.isOpen;
    this.#doubt.end();
    const lastedMs = time - this.#since;
    this.#state = "local";
    this.#since = time;
    this.#holdMs = lastedMs > STEADY_MS ? 0 : Math.min(MOST_HOLD_MS, Math.max(FIRST_HOLD_MS, this.#holdMs * 2));
    this.#holdUntil = time + this.#jittered(this.#holdMs);
    // What was decided in doubt was decided by what was left when the doubt began.
    if (!doubted) this.#local.share.begin();
    for (const asked of this.#asked.takeAll()) this.#decideLocally(asked);
    this.#options.signals.turned(this.level, lastedMs);
    this.#schedule(PROBE_MS);
  }

  #goShared(): void {
    const time = performance.now();
    const lastedMs = time - this.#since;
    this.#state = "shared";
    this.#since = time;
    this.#why = undefined;
    this.#returning = undefined;
    this.#joining = false;
    this.#local.share.end();
    this.#options.signals.turned(this.level, lastedMs);
    this.#begin();
    this.#runner.tellLater();
  }

  #schedule(ms: number): void {
    if (this.#closed) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#look(), this.#jittered(ms));
  }

  /** By chance up to a quarter more or less, so that replicas do not ask together. */
  #jittered(ms: number): number {
    const { random = Math.random } = this.#options;
    return ms * (0.75 + random() / 2);
  }

  /** One beat, and what follows from it. */
  async #look(): Promise<void> {
    if (this.#beating) return;
    this.#beating = true;
    const began = performance.now();
    try {
      const beat = await within(SILENT_MS, this.#heart.beat(this.#isCounted()));
      if (this.#closed) return;
      this.#clockAheadMs = beat.time - performance.now();
      // A Redis that has lost its data hears of the others one by one: until then they are taken to be there.
      if (this.#state === "shared" || beat.live >= this.#local.share.live) this.#local.share.hear(beat.live, beat.rank);
      if (this.#state === "shared") await this.#stay(beat);
      else await this.#return(beat, performance.now() - began);
    } catch (error) {
      this.#missed(error);
    } finally {
      this.#beating = false;
      this.#schedule(this.#nextMs());
    }
  }

  #nextMs(): number {
    if (this.#state === "shared") return BEAT_MS;
    if (this.#returning !== undefined) return RETURN_MS;
    return this.#epoch === undefined && performance.now() - this.#since < SILENT_MS ? FIRST_MS : PROBE_MS;
  }

  #missed(error: unknown): void {
    if (this.#closed) return;
    const why = wordsOf(error);
    if (error instanceof Silent) this.#options.connection.renew(why);
    this.#goLocal(why);
    if (this.#options.connection.trouble !== undefined) this.#begin();
  }

  /** Redis knows of all that this replica admitted by itself. */
  #isCounted(): boolean {
    return this.#state === "shared" || (this.#returning !== undefined && this.#untold.size === 0);
  }

  /** A beat while all is well. */
  async #stay(beat: Beat): Promise<void> {
    const isNew = beat.epoch !== this.#epoch;
    if (isNew) this.#tellAll(beat);
    if (this.#untold.size > 0) await within(SILENT_MS, this.#untold.send(this.#untold.size));
    if (isNew) await within(SILENT_MS, this.#redis.renew());
    await this.#totals.hear(() => this.#state === "shared");
  }

  /** A beat after Redis was away. It decides again when it answers quickly, and knows what everybody admitted meanwhile. */
  async #return(beat: Beat, ms: number): Promise<void> {
    this.#quick = ms < RESERVE_MS ? this.#quick + 1 : 0;
    if (this.#quick === 0) {
      this.#returning = undefined;
      this.#joining = false;
      this.#why = `it answers after ${Math.round(ms)} ms`;
    }
    const isFirst = this.#epoch === undefined;
    if (this.#quick < (isFirst ? 1 : QUICK) || performance.now() < this.#holdUntil) {
      if (beat.epoch === this.#epoch) await this.#keepTold(beat);
      return;
    }
    if (this.#returning === undefined) {
      await within(SILENT_MS, prepareRedis(this.#options.connection, this.#options.prefix));
      this.#returning = { time: beat.time, at: performance.now() };
    }
    this.#joining = true;
    if (!isFirst && beat.epoch !== this.#epoch) this.#tellAll(beat);
    else await within(SILENT_MS, this.#tellUntold(beat.time));
    this.#epoch = beat.epoch;
    if (this.#untold.size > 0 && !(await within(SILENT_MS, this.#untold.send(this.#untold.size)))) return;
    if (!isFirst && !this.#othersHaveTold(beat)) return;
    // What was admitted until now is on its way to Redis before the first request is asked there.
    const told = this.#tellUntold(beat.time);
    this.#goShared();
    await within(SILENT_MS, told);
  }

  /** Too slow to be asked, it can still be told: others may ask it. What they use leaves less to this replica's part. */
  async #keepTold(beat: Beat): Promise<void> {
    const told = this.#tellUntold(beat.time);
    await this.#totals.hear(() => this.#state === "local");
    await within(SILENT_MS, told);
    if (this.#state === "local") this.#local.share.begin();
  }

  /** Everybody who is there was heard since Redis is back, with nothing left to tell; whoever is late is not waited for. */
  #othersHaveTold({ others }: Beat): boolean {
    const { time, at } = this.#returning!;
    const areAllThere = others.length + 1 >= this.#local.share.live;
    const haveTold = others.every(({ heardAt, counted }) => counted && heardAt > time);
    return (areAllThere && haveTold) || performance.now() - at > OTHERS_MS;
  }

  /** Tells Redis, at once, what was admitted without it, and holds there what that holds. `time`: by its clock. */
  async #tellUntold(time: number): Promise<void> {
    this.#tell(this.#local.takeUntold((claim) => this.#redis.adopt(claim, time)));
    // What cannot be held now is held with the next renewal.
    await Promise.all([this.#untold.send(this.#untold.size), this.#redis.renew().catch(() => {})]);
  }

  /** Redis has lost its data: every replica tells its own part of what still counts. */
  #tellAll(beat: Beat): void {
    this.#epoch = beat.epoch;
    this.#untold.clear();
    this.#runner.forget();
    this.#tell(this.#local.takeAll((claim) => this.#redis.adopt(claim, beat.time)));
  }

  #tell(amounts: readonly (readonly [Quota, number])[]): void {
    for (let at = 0; at < amounts.length; at += QUOTAS_AT_ONCE)
      this.#untold.add(this.#redis.seeding(amounts.slice(at, at + QUOTAS_AT_ONCE)));
  }

  #tellStart(): void {
    if (this.#state === "shared" || this.#closed) return;
    this.#why = this.#options.connection.trouble ?? this.#why;
    this.#options.signals.turned(this.level, 0);
  }
}
