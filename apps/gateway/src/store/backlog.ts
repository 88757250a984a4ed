import type { ScriptCall, ScriptRunner } from "../teams/scripts.ts";

export interface BacklogOptions {
  readonly runner: ScriptRunner;
  /** Calls that are kept; one more and the oldest is dropped. */
  readonly most: number;
  /** Told how many calls were dropped. */
  readonly onDropped: (count: number) => void;
  readonly now: () => number;
}

interface Kept {
  readonly call: ScriptCall;
  /** When it was first sent without an answer; undefined = never. */
  readonly sentAt: number | undefined;
}

/** What was sent and not answered counts once only if it is sent again before Redis forgets its mark, after 120 s. */
const REPEATABLE_MS = 100_000;

/** Calls that change what is counted, and that Redis could not be told: told in their order when it can, and counted once. */
export class Backlog {
  readonly #options: BacklogOptions;
  #kept: Kept[] = [];
  #draining = false;

  constructor(options: BacklogOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#kept.length;
  }

  /** Keeps a call for later. `sent`: it was sent already, and not answered. */
  add(call: ScriptCall, sent = false): void {
    this.#kept.push({ call, sentAt: sent ? this.#options.now() : undefined });
    if (this.#kept.length <= this.#options.most) return;
    // Several at once, since taking one from the front of a long list costs as much as taking many.
    const gone = this.#kept.splice(0, Math.ceil(this.#options.most / 100));
    this.#options.onDropped(gone.length);
  }

  /** Forgets all: the data that it was about is gone. */
  clear(): void {
    this.#kept = [];
  }

  /** Sends at most `count` calls together; true = Redis has them. What was not answered stays first. */
  async send(count: number): Promise<boolean> {
    if (this.#draining) return false;
    this.#draining = true;
    try {
      const batch = this.#takeFresh(count);
      const failed: Kept[] = [];
      await Promise.all(
        batch.map(async ({ call, sentAt }) => {
          const began = this.#options.now();
          try {
            await this.#options.runner.run(call.script, call.keys, call.args);
          } catch (error) {
            if (!willPass(error)) this.#options.onDropped(1);
            else failed.push({ call, sentAt: wasRefused(error) ? sentAt : (sentAt ?? began) });
          }
        }),
      );
      if (failed.length > 0) this.#kept = [...failed, ...this.#kept];
      return failed.length === 0;
    } finally {
      this.#draining = false;
    }
  }

  #takeFresh(count: number): Kept[] {
    const batch = this.#kept.splice(0, count);
    const oldest = this.#options.now() - REPEATABLE_MS;
    const fresh = batch.filter(({ sentAt }) => sentAt === undefined || sentAt > oldest);
    if (fresh.length < batch.length) this.#options.onDropped(batch.length - fresh.length);
    return fresh;
  }
}

/** Redis answered, with an error: what was sent was not done. */
function wasRefused(error: unknown): boolean {
  return error instanceof Error && error.name === "ReplyError";
}

const PASSES =
  /^(READONLY|LOADING|BUSY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|MOVED|ASK|OOM|MISCONF|NOREPLICAS|NOAUTH|NOPERM|UNKILLABLE)/;

/** False = Redis will never take this call. */
export function willPass(error: unknown): boolean {
  return !wasRefused(error) || PASSES.test((error as Error).message);
}
