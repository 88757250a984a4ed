import { type FileHandle, open } from "node:fs/promises";
import { GatewayError } from "@signalbox/protocol";
import type { Metrics } from "../signals/metrics.ts";
import type { RequestLog } from "../signals/request-log.ts";
import { readAuditChain } from "./audit-chain.ts";
import { type AuditEntry, auditLine, noHash, segmentAction } from "./audit-line.ts";

/** Keeps what was done to the gateway. */
export interface AuditLog {
  /**
   * Resolves when the entry is on the disk. An action is done behind that, never before.
   * @throws GatewayError `audit_unavailable` when it cannot be written: the action is not to be done.
   */
  record(entry: AuditEntry): Promise<void>;
  /** Does what can fail: `begun` is on the disk before it, `ok` or `failed` behind it. @throws what `action` throws, and as `record`. */
  around<T>(entry: Omit<AuditEntry, "result">, action: () => Promise<T>): Promise<T>;
  /** Notes an attempt that was refused, unless there are too many: then the next one says how many were left out. Never throws. */
  refused(entry: Omit<AuditEntry, "before" | "after">): void;
  /** Resolves when all that was noted is on the disk, or cannot be. */
  flush(): Promise<void>;
}

export interface AuditLogOptions {
  /** An absolute path. One process writes to it. */
  readonly file: string;
  readonly log: Pick<RequestLog, "info" | "warn">;
  readonly metrics: Pick<Metrics, "counter">;
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
}

/** Refused attempts that are noted at once, and how long until one more may be. */
const REFUSED_BURST = 30;
const REFUSED_EVERY_MS = 10_000;
/** At start the chain is held against so much of the file's end; `signalbox audit verify` reads all of it. */
const TAIL_BYTES = 1024 * 1024;

/** No audit file: everything may be done, and nothing is kept. */
export const noAudit: AuditLog = {
  record: async () => {},
  around: (_entry, action) => action(),
  refused() {},
  flush: async () => {},
};

/** An audit log in a file of JSON lines, each with the hash of the one before. The file is for its owner alone. */
export function createAuditLog(options: AuditLogOptions): AuditLog {
  return new FileAuditLog(options);
}

/** The file as we left it. */
interface Left {
  readonly inode: number;
  readonly size: number;
}

class FileAuditLog implements AuditLog {
  readonly #options: AuditLogOptions;
  #seq = 0;
  #head = noHash;
  /** Undefined = not known: nothing was written yet, or a write failed. */
  #left: Left | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #refusals = { level: 0, at: 0, leftOut: 0 };

  constructor(options: AuditLogOptions) {
    this.#options = options;
  }

  record(entry: AuditEntry): Promise<void> {
    const written = this.#last.then(() => this.#append(entry));
    this.#last = written.catch(() => {});
    return written;
  }

  async around<T>(entry: Omit<AuditEntry, "result">, action: () => Promise<T>): Promise<T> {
    await this.record({ ...entry, result: "begun" });
    let result = "ok";
    try {
      return await action();
    } catch (error) {
      result = error instanceof GatewayError ? error.code : "failed";
      throw error;
    } finally {
      // It was done, and `begun` says so: the answer is not the place to take that back.
      await this.record({ ...entry, result }).catch(() => {});
    }
  }

  refused(entry: Omit<AuditEntry, "before" | "after">): void {
    const now = this.#options.now();
    const refusals = this.#refusals;
    refusals.level = Math.max(0, refusals.level - (now - refusals.at) / REFUSED_EVERY_MS);
    refusals.at = now;
    if (refusals.level + 1 > REFUSED_BURST) {
      refusals.leftOut++;
      return;
    }
    refusals.level++;
    const after = refusals.leftOut === 0 ? null : { left_out_before: refusals.leftOut };
    refusals.leftOut = 0;
    void this.record({ ...entry, before: null, after }).catch(() => {});
  }

  async flush(): Promise<void> {
    await this.#last;
  }

  async #append(entry: AuditEntry): Promise<void> {
    const { file, metrics, log } = this.#options;
    const before = { seq: this.#seq, head: this.#head };
    let handle: FileHandle | undefined;
    try {
      handle = await open(file, "a", 0o600);
      const lines = [...(await this.#takeUp(handle)), this.#line(entry)];
      await handle.appendFile(lines.join(""));
      await handle.sync();
      const { ino: inode, size } = await handle.stat();
      this.#left = { inode, size };
      metrics.counter("signalbox_audit_records_total", { result: "written" }).value += lines.length;
    } catch (cause) {
      this.#left = undefined;
      this.#seq = before.seq;
      this.#head = before.head;
      metrics.counter("signalbox_audit_records_total", { result: "failed" }).value++;
      const why = (cause as NodeJS.ErrnoException).code ?? (cause as Error).message;
      log.warn("audit file cannot be written", { file, error: why, action: entry.action });
      throw new GatewayError("audit_unavailable", `the audit file cannot be written (${why}): nothing was done`, {
        cause,
      });
    } finally {
      await handle?.close().catch(() => {});
    }
  }

  #line(entry: AuditEntry): string {
    const { line, hash } = auditLine(entry, this.#seq + 1, new Date().toISOString(), this.#head);
    this.#seq++;
    this.#head = hash;
    return `${line}\n`;
  }

  /** What is to be written first: nothing where the file is as we left it, or as its last line says it should be. */
  async #takeUp(handle: FileHandle): Promise<readonly string[]> {
    const { ino: inode, size } = await handle.stat();
    const left = this.#left;
    if (left?.inode === inode && left.size === size) return [];
    const { file, log } = this.#options;
    if (size === 0) return this.#head === noHash ? [] : [this.#segment("moved", "another file is there")];
    const known = this.#head;
    const chain = await readAuditChain(file, Math.max(0, size - TAIL_BYTES));
    this.#seq = chain.seq;
    this.#head = chain.head;
    if (left !== undefined && chain.head !== known)
      log.warn("audit file was written by somebody else: each replica wants a file of its own", { file });
    const endsWhole = await endsInLine(file, size);
    if (chain.untold === undefined && endsWhole) {
      if (known === noHash) log.info("audit chain continues", { file, records: chain.seq, head: chain.head });
      return [];
    }
    const why = chain.untold?.why ?? "its last line has no end";
    log.warn("audit file is not as it was left: a new segment begins behind its end", { file, why, seq: chain.seq });
    this.#head = chain.link;
    return [...(endsWhole ? [] : ["\n"]), this.#segment(chain.tornEnd ? "torn" : "tampered", why)];
  }

  #segment(result: string, why: string): string {
    const entry = { actor: "process", role: "none", address: null, action: segmentAction, target: null };
    return this.#line({ ...entry, before: null, after: { why }, result });
  }
}

async function endsInLine(file: string, size: number): Promise<boolean> {
  const handle = await open(file, "r");
  try {
    const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, size - 1);
    return buffer[0] === 0x0a;
  } finally {
    await handle.close();
  }
}
