import { hash } from "node:crypto";

/** What somebody did, or tried to do, to the gateway. Never a key, a token or text of a client's. */
export interface AuditEntry {
  /** Name of the token that was shown; `local` without one; `file`, `process` for what no request asked for. */
  readonly actor: string;
  /** Role of the actor; `none` when none was shown. */
  readonly role: string;
  /** Where the request came from; null when it was none. */
  readonly address: string | null;
  /** Such as `backend.drain`, `key.rotate`, `config.reload`, `start`. */
  readonly action: string;
  /** What was acted on, such as a backend's name. */
  readonly target: string | null;
  readonly before: unknown;
  readonly after: unknown;
  /** `begun`, `ok`, `failed`, or the error code it was refused with. */
  readonly result: string;
}

/** One line of an audit file. */
export interface AuditRecord extends AuditEntry {
  /** From 1, one more with each line. */
  readonly seq: number;
  /** ISO time. */
  readonly time: string;
  /** `hash` of the line before; of a `segment`, the SHA-256 of that line as it was found. */
  readonly prev: string;
  /** SHA-256 (hex) of the line without this field. */
  readonly hash: string;
}

/** `prev` of the first line of all. */
export const noHash = "0".repeat(64);
/** The action of a record that begins anew behind lines that are not as they should be. */
export const segmentAction = "segment";

// `,"hash":"` before, `"}` behind.
const HASH_FIELD_LENGTH = 9 + 64 + 2;

/** SHA-256 of bytes or text, in hex. */
export const sha256 = (bytes: Buffer | string): string => hash("sha256", bytes, "hex");

/** JSON leaves these as they are; some readers end a line at them, and terminals obey others. */
const unescaped = /[\u007f-\u009f\u2028\u2029]/g;
const escaped = (one: string): string => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`;

/** A line without its end, and its hash. */
export function auditLine(entry: AuditEntry, seq: number, time: string, prev: string): { line: string; hash: string } {
  const { actor, role, address, action, target, before, after, result } = entry;
  const record = { seq, time, actor, role, address, action, target, before, after, result, prev };
  const body = JSON.stringify(record).replace(unescaped, escaped);
  const own = sha256(body);
  return { line: `${body.slice(0, -1)},"hash":"${own}"}`, hash: own };
}

/** A line that can be read: is its hash that of its text? Undefined = it is no record: torn, or something else. */
export function readAuditLine(line: Buffer): { readonly record: AuditRecord; readonly sound: boolean } | undefined {
  let record: AuditRecord;
  try {
    record = JSON.parse(line.toString("utf8")) as AuditRecord;
  } catch {
    return undefined;
  }
  if (typeof record !== "object" || record === null || typeof record.hash !== "string") return undefined;
  if (!Number.isSafeInteger(record.seq) || typeof record.time !== "string") return undefined;
  const body = Buffer.concat([line.subarray(0, Math.max(0, line.length - HASH_FIELD_LENGTH)), Buffer.from("}")]);
  return { record, sound: sha256(body) === record.hash && line.includes(`,"hash":"${record.hash}"}`) };
}
