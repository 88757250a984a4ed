import { randomBytes } from "node:crypto";
import { GatewayError } from "@signalbox/protocol";
import { wordsOf } from "../runtime/words-of.ts";
import type { RequestLog } from "../signals/request-log.ts";
import { endingOf, idOf, type KeyRecord, readRecord, recordText, validUntil } from "./key-record.ts";
import { createKnownKey, type KnownKey, type MoreKeys } from "./keys.ts";
import { type ScriptRunner, scripts } from "./scripts.ts";

/** The store that keys are kept in, as far as they need it. */
interface KeyConnection extends ScriptRunner {
  /** What every key of the store begins with. */
  readonly prefix: string;
  /** Why there is no connection, which the store tells of itself; undefined = there is one. */
  readonly trouble: string | undefined;
  subscribe(channel: string, subscriber: { onMessage(message: string): void; onHeard?(): void }): () => void;
}

/** The keys of the store, all of them in memory: looked up without asking anybody, and followed as they change. */
export interface StoredKeys extends MoreKeys {
  /** Those known, in no order; keys that ended long ago are left out. */
  records(): IterableIterator<KeyRecord>;
  /** When a key was last taken by this process, in milliseconds since 1970; 0 = never. */
  lastUsed(hash: string): number;
  readonly size: number;
  /** Milliseconds since they were last known to be all there are; Infinity = never. */
  readonly ageMs: number;
  /** Resolves when they were read for the first time. */
  readonly first: Promise<void>;
  /** Tells of keys whose team the policy has not. */
  follow(teams: ReadonlySet<string>): void;
  /** Reads what changed. @throws GatewayError `keys_unavailable`. */
  refresh(): Promise<void>;
  /** Writes records, if no key changed since `refresh`. False = one did. @throws GatewayError `keys_unavailable`. */
  write(records: readonly KeyRecord[]): Promise<boolean>;
  /** Follows no more. */
  close(): void;
}

export interface StoredKeysOptions {
  readonly connection: KeyConnection;
  readonly log: Pick<RequestLog, "info" | "warn">;
  /** Milliseconds between two looks, which a message of the store makes needless; 1000 unless given. */
  readonly pollMs?: number;
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
  /** Milliseconds since 1970. */
  readonly wallClock?: () => number;
}

/** Most keys that are held; more are not valid, and the log says so. */
export const MAX_STORED_KEYS = 100_000;
/** Keys read in one go: some two milliseconds of work. */
const PAGE = 500;
const PATIENCE_MS = 2000;
/** Of one reading, since what is read changes its beginning. */
const MOST_RESTARTS = 3;
/** A connection that is only just being made is no matter for the log. */
const AWAY_AFTER = 2;
/** What ended is shown for so long, and then forgotten. */
const FORGET_MS = 30 * 86_400_000;
/** Forgotten records that one write takes out of the store. */
const FORGET_AT_ONCE = 100;

/** Follows the keys of a store, from now on. Never throws: while the store is away those known stay as they are. */
export function followStoredKeys(options: StoredKeysOptions): StoredKeys {
  return new Follower(options);
}

interface Held {
  readonly record: KeyRecord;
  readonly known: KnownKey;
}

/** One reading of all keys, which may have been lost, or set back to what they were. */
interface FullReading {
  readonly seen: Set<string>;
  /** What we know better than the store. */
  readonly ours: KeyRecord[];
}

class Follower implements StoredKeys {
  readonly first: Promise<void>;
  readonly #options: StoredKeysOptions;
  readonly #names: readonly [numbers: string, records: string, state: string];
  readonly #channel: string;
  readonly #held = new Map<string, Held>();
  readonly #told = new Set<string>();
  readonly #unsubscribe: () => void;
  #teams: ReadonlySet<string> | undefined;
  /** Of the store's contents; another one = they were lost, and begun anew. */
  #epoch = "";
  /** Number of the last change that was read. */
  #last = 0;
  /** All keys are to be read: nothing was yet, or the store was away and may come back without what it knew. */
  #readsAll = true;
  #readAt = Number.NEGATIVE_INFINITY;
  /** Looks in a row that found nothing. */
  #missed = 0;
  /** The log has been told that the store is there, and its keys are not. */
  #toldTrouble = false;
  #heardFirst: () => void = () => {};
  #reading: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: StoredKeysOptions) {
    this.#options = options;
    const { prefix } = options.connection;
    this.#names = [`${prefix}keys:numbers`, `${prefix}keys`, `${prefix}keys:state`];
    this.#channel = `${prefix}keys:changed`;
    const look = (): void => void this.#look();
    this.#unsubscribe = options.connection.subscribe(this.#channel, { onMessage: look, onHeard: look });
    this.first = new Promise((resolve) => {
      this.#heardFirst = resolve;
    });
    look();
  }

  get(hash: string): KnownKey | undefined {
    return this.#held.get(hash)?.known;
  }

  lastUsed(hash: string): number {
    return this.#held.get(hash)?.known.usedAt ?? 0;
  }

  get size(): number {
    return this.#held.size;
  }

  get ageMs(): number {
    return this.#options.now() - this.#readAt;
  }

  *records(): IterableIterator<KeyRecord> {
    const oldest = this.#wallClock() - FORGET_MS;
    for (const { record } of this.#held.values()) if (validUntil(record) > oldest) yield record;
  }

  follow(teams: ReadonlySet<string>): void {
    this.#teams = teams;
    this.#told.clear();
    for (const { record } of this.#held.values()) this.#tellOrphan(record);
  }

  async refresh(): Promise<void> {
    try {
      // A reading under way may have begun before what its caller knows of.
      await this.#reading?.catch(() => {});
      await this.#read();
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new GatewayError("keys_unavailable", `the store that has the keys does not answer: ${why}`, { cause });
    }
  }

  async write(records: readonly KeyRecord[]): Promise<boolean> {
    try {
      return await this.#write(records);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      const message = `the store did not say whether it took the change: ${why}`;
      throw new GatewayError("keys_unavailable", message, { cause });
    }
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#unsubscribe();
  }

  /** Looks whether something changed, now and from then on. Never rejects. */
  async #look(): Promise<void> {
    clearTimeout(this.#timer);
    const { log, pollMs = 1000 } = this.#options;
    try {
      await this.#read();
      if (this.#toldTrouble) log.info("keys of the store are followed again", { keys: this.size });
      this.#toldTrouble = false;
      this.#missed = 0;
      this.#heardFirst();
    } catch (error) {
      this.#miss(error);
    }
    clearTimeout(this.#timer);
    if (!this.#closed) this.#timer = setTimeout(() => void this.#look(), pollMs).unref();
  }

  #miss(error: unknown): void {
    const { connection, log } = this.#options;
    this.#missed++;
    if (this.#missed < AWAY_AFTER || this.#toldTrouble || this.#closed || connection.trouble !== undefined) return;
    this.#toldTrouble = true;
    const facts = { known: this.size, error: wordsOf(error) };
    log.warn("keys of the store cannot be read: those known stay valid", facts);
  }

  /** One reading at a time; who asks while one is under way gets that one. */
  #read(): Promise<void> {
    const all = this.#readsAll;
    this.#reading ??= this.#readChanges(all)
      .catch((error: unknown) => {
        this.#readsAll = true;
        throw error;
      })
      .finally(() => {
        this.#reading = undefined;
      });
    return this.#reading;
  }

  async #readChanges(all: boolean): Promise<void> {
    this.#readsAll = false;
    let full: FullReading | undefined = all ? { seen: new Set(), ours: [] } : undefined;
    let from = full === undefined ? this.#last : 0;
    for (let restarts = 0; restarts <= MOST_RESTARTS; ) {
      const answer = (await this.#run(scripts.keysSince, [from, PAGE])) as string[];
      const [epoch = "", told = "0", ...rows] = answer;
      if (epoch !== this.#epoch || Number(told) < from) {
        // What we count by is gone: begin with the first key.
        this.#epoch = epoch;
        if (full === undefined || from > 0) {
          full = { seen: new Set(), ours: [] };
          from = 0;
          restarts++;
          continue;
        }
      }
      for (let at = 0; at < rows.length; at += 3) this.#take(rows[at]!, rows[at + 2]!, full);
      if (rows.length === PAGE * 3) {
        from = Number(rows.at(-2));
        continue;
      }
      this.#last = Number(told);
      if (full !== undefined) await this.#giveBack(full);
      this.#readAt = this.#options.now();
      return;
    }
    throw new Error("the keys in the store are begun anew all the time");
  }

  /** A key as the store has it. */
  #take(hash: string, text: string, full: FullReading | undefined): void {
    if (text === "") return;
    const record = readRecord(hash, text);
    if (record === undefined) {
      this.#tell("a key of the store cannot be read: another version wrote it");
      return;
    }
    full?.seen.add(hash);
    const mine = this.#held.get(hash)?.record;
    if (mine === undefined || !isNewer(mine, record)) this.#hold(record);
    else if (full === undefined) this.#readsAll = true;
    else full.ours.push(mine);
  }

  #hold(record: KeyRecord): void {
    const { hash, team } = record;
    const before = this.#held.get(hash);
    if (before === undefined && this.size >= MAX_STORED_KEYS) {
      this.#tell(`the store has more keys than ${MAX_STORED_KEYS}: the others are not valid`);
      return;
    }
    if (before?.record.revision === record.revision && before.record.revoked === record.revoked) return;
    const known = createKnownKey({
      hex: hash,
      team,
      id: idOf(record),
      validUntil: validUntil(record),
      ending: endingOf(record),
    });
    known.usedAt = before?.known.usedAt ?? 0;
    this.#held.set(hash, { record, known });
    this.#tellOrphan(record);
  }

  /** What the store lost, or was set back to, it gets again: a key that was revoked must not come to life. */
  async #giveBack({ seen, ours }: FullReading): Promise<void> {
    const now = this.#wallClock();
    const lost: KeyRecord[] = [...ours];
    for (const [hash, { record }] of this.#held) {
      if (seen.has(hash)) continue;
      if (validUntil(record) > now) lost.push(record);
      else this.#held.delete(hash);
    }
    for (let at = 0; at < lost.length; at += PAGE) {
      // Another replica was quicker: its turn is read at the next look.
      if (!(await this.#write(lost.slice(at, at + PAGE)))) {
        this.#readsAll = true;
        return;
      }
    }
    if (lost.length > 0) this.#options.log.warn("the store had lost keys, and has them again", { keys: lost.length });
  }

  async #write(records: readonly KeyRecord[]): Promise<boolean> {
    const forgotten = this.#forgotten();
    const fresh = randomBytes(8).toString("hex");
    const words = [...records.flatMap((record) => [record.hash, recordText(record)])];
    for (const hash of forgotten) words.push(hash, "");
    const last = await this.#run(scripts.keysWrite, [this.#epoch, this.#last, fresh, this.#channel, ...words]);
    if (Number(last) === 0) return false;
    this.#epoch ||= fresh;
    this.#last = Number(last);
    for (const hash of forgotten) this.#held.delete(hash);
    for (const record of records) this.#hold(record);
    return true;
  }

  #forgotten(): string[] {
    const oldest = this.#wallClock() - FORGET_MS;
    const found: string[] = [];
    for (const [hash, { record }] of this.#held) {
      if (found.length === FORGET_AT_ONCE) break;
      if (validUntil(record) <= oldest) found.push(hash);
    }
    return found;
  }

  async #run(script: (typeof scripts)["keysSince"], args: readonly (string | number)[]): Promise<unknown> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer within ${PATIENCE_MS} ms`)), PATIENCE_MS);
    });
    try {
      return await Promise.race([this.#options.connection.run(script, this.#names, args), late]);
    } finally {
      clearTimeout(timer);
    }
  }

  #wallClock(): number {
    return this.#options.wallClock?.() ?? Date.now();
  }

  #tellOrphan({ team }: KeyRecord): void {
    if (this.#teams === undefined || this.#teams.has(team)) return;
    this.#tell(`keys of the store are not valid: the policy has no team ${JSON.stringify(team.slice(0, 64))}`);
  }

  /** Once, until another config is in force. */
  #tell(event: string): void {
    if (this.#told.has(event) || this.#told.size > 100) return;
    this.#told.add(event);
    this.#options.log.warn(event);
  }
}

/** Was a record changed here, and the change lost there? What was revoked stays so, whatever else. */
function isNewer(mine: KeyRecord, theirs: KeyRecord): boolean {
  if (mine.revision !== theirs.revision) return mine.revision > theirs.revision;
  return mine.revoked !== undefined && theirs.revoked === undefined;
}
