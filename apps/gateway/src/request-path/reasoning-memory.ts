import type { RawChoice } from "@signalbox/adapter";
import type { Model } from "@signalbox/router";
import type { Metrics } from "../signals/metrics.ts";

/**
 * The reasoning of replies with tool calls, by team and by the id of the first call, for clients that do not send it back.
 * In this process alone, and never in a log.
 */
export interface ReasoningMemory {
  /** Bytes of all that is kept, with what keeping it costs. */
  readonly bytes: number;
  readonly size: number;
  /** Keeps the reasoning of a choice that has a call, for the model's `rememberReasoningMs` since it was last asked for. */
  keep(choice: Pick<RawChoice, "firstCall" | "reasoning">, team: string, model: Model): void;
  /** The reasoning before a call, as the inside of a JSON string; undefined = not known. */
  recall(team: string, callId: string): string | undefined;
  /** Forgets what is over; linear in what is kept. */
  sweep(): void;
  /** Forgets everything. */
  clear(): void;
}

export interface ReasoningMemoryOptions {
  readonly metrics: Pick<Metrics, "counter">;
  /** Milliseconds of a clock that does not go back. */
  now(): number;
  /** What was not asked for the longest gives way; 64 MiB unless told. */
  readonly maxBytes?: number;
}

/** A longer thought is not kept. */
const MAX_ENTRY_BYTES = 256 * 1024;
const MAX_BYTES = 64 * 1024 * 1024;
/** An entry's key and objects cost about this much beside the text. */
const ENTRY_BYTES = 512;

/** Neighbours in the order of their use. A Map's own order would do, were it not for the holes that its first key is looked for behind. */
interface Link {
  before: Link;
  after: Link;
}

interface Entry extends Link {
  readonly key: string;
  readonly model: string;
  readonly keepMs: number;
  /** A buffer of its own: a string that was put together from pieces would keep all of them. */
  readonly text: Buffer;
  endsAt: number;
}

/** An empty memory. */
export function createReasoningMemory(options: ReasoningMemoryOptions): ReasoningMemory {
  return new LruMemory(options);
}

class LruMemory implements ReasoningMemory {
  bytes = 0;
  readonly #entries = new Map<string, Entry>();
  /** A ring: behind its end comes what was not asked for the longest. */
  readonly #end = createEnd();
  readonly #options: ReasoningMemoryOptions;

  constructor(options: ReasoningMemoryOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#entries.size;
  }

  keep({ firstCall, reasoning }: Pick<RawChoice, "firstCall" | "reasoning">, team: string, model: Model): void {
    const { name, rememberReasoningMs: keepMs } = model;
    if (firstCall === undefined || reasoning === "" || keepMs === undefined) return;
    const text = comesOnce(firstCall) ? insideOfJson(reasoning) : undefined;
    if (text === undefined) {
      this.#count(name, "unfit");
      return;
    }
    const key = keyOf(team, firstCall);
    this.#forget(key);
    const endsAt = this.#options.now() + keepMs;
    const entry: Entry = { key, model: name, keepMs, text, endsAt, before: this.#end, after: this.#end };
    this.#entries.set(key, entry);
    insert(entry, this.#end);
    this.bytes += sizeOf(text);
    this.#count(name, "kept");
    this.#makeRoom();
  }

  recall(team: string, callId: string): string | undefined {
    const key = keyOf(team, callId);
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    const now = this.#options.now();
    if (entry.endsAt <= now) {
      this.#forget(key);
      return undefined;
    }
    entry.endsAt = now + entry.keepMs;
    remove(entry);
    insert(entry, this.#end);
    return entry.text.toString("utf8");
  }

  sweep(): void {
    const now = this.#options.now();
    for (const { key, endsAt } of this.#entries.values()) if (endsAt <= now) this.#forget(key);
  }

  clear(): void {
    this.#entries.clear();
    this.#end.before = this.#end.after = this.#end;
    this.bytes = 0;
  }

  #makeRoom(): void {
    const { maxBytes = MAX_BYTES } = this.#options;
    while (this.bytes > maxBytes) {
      const { key, model } = this.#end.after as Entry;
      this.#forget(key);
      this.#count(model, "evicted");
    }
  }

  #forget(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    remove(entry);
    this.bytes -= sizeOf(entry.text);
  }

  #count(model: string, result: "kept" | "unfit" | "evicted"): void {
    this.#options.metrics.counter("signalbox_reasoning_remembered_total", { model, result }).value++;
  }
}

function createEnd(): Link {
  const end = {} as Link;
  end.before = end.after = end;
  return end;
}

function insert(link: Link, before: Link): void {
  link.before = before.before;
  link.after = before;
  before.before.after = link;
  before.before = link;
}

function remove({ before, after }: Link): void {
  before.after = after;
  after.before = before;
}

/** Names of teams have no line breaks. */
function keyOf(team: string, callId: string): string {
  return `${team}\n${callId}`;
}

function sizeOf(text: Buffer): number {
  return text.length + ENTRY_BYTES;
}

/** Undefined = too long. */
function insideOfJson(text: string): Buffer | undefined {
  if (text.length > MAX_ENTRY_BYTES) return undefined;
  const inside = JSON.stringify(text).slice(1, -1);
  const length = Buffer.byteLength(inside);
  if (length > MAX_ENTRY_BYTES) return undefined;
  // Not out of the pool, which would keep 8 KiB alive for each small text.
  const bytes = Buffer.allocUnsafeSlow(length);
  bytes.write(inside, "utf8");
  return bytes;
}

/**
 * Will no other conversation have a call of this id? Not so where it is short (Ollama, Mistral) or counts
 * (`functions.look_up:0` of Kimi): a random one ends in a long run of letters and digits, mixed.
 */
export function comesOnce(callId: string): boolean {
  if (callId.length < 16 || callId.length > 256) return false;
  const run = /[A-Za-z0-9]*$/.exec(callId)![0];
  return run.length >= 12 && /\d[A-Za-z]/.test(run) && new Set(run).size >= 6;
}
