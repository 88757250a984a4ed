import { z } from "zod";
import { keyDigits } from "../config/key-id.ts";

/** A key of the store: all that is kept of it. Times are milliseconds since 1970. */
export interface KeyRecord {
  /** SHA-256 of the key: 64 hex digits. */
  readonly hash: string;
  readonly team: string;
  readonly name: string | undefined;
  readonly created: number;
  /** From then on it is not valid. */
  readonly expires: number | undefined;
  /** It was replaced, and is valid until then at the most. */
  readonly retires: number | undefined;
  readonly revoked: number | undefined;
  /** 1, and one more with each change of the record: of two that differ the higher one holds. */
  readonly revision: number;
}

/** Of the form of records. */
const VERSION = 1;
const moment = z.number().int().min(0).optional();
const Stored = z.object({
  v: z.literal(VERSION),
  team: z.string(),
  name: z.string().optional(),
  created: z.number(),
  expires: moment,
  retires: moment,
  revoked: moment,
  revision: z.number().int().min(1),
});

/** A record as it is stored. */
export function recordText({ hash: _, ...record }: KeyRecord): string {
  return JSON.stringify({ v: VERSION, ...record });
}

/** A record that was stored; undefined when it cannot be read, or another version wrote it. */
export function readRecord(hash: string, text: string): KeyRecord | undefined {
  if (!/^[0-9a-f]{64}$/.test(hash)) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const stored = Stored.safeParse(value);
  if (!stored.success) return undefined;
  const { team, name, created, expires, retires, revoked, revision } = stored.data;
  return { hash, team, name, created, expires, retires, revoked, revision };
}

/** What a key is known by where it is counted and told of. */
export const idOf = ({ hash, name }: Pick<KeyRecord, "hash" | "name">): string => name ?? keyDigits(hash);

/** Until when a key is valid; Infinity = for ever. */
export function validUntil({ expires, retires, revoked }: KeyRecord): number {
  const never = Number.POSITIVE_INFINITY;
  return Math.min(expires ?? never, retires ?? never, revoked ?? never);
}

/** Why a key is not valid from then on. */
export function endingOf(record: KeyRecord): string {
  if (record.revoked !== undefined) return "was revoked";
  return validUntil(record) === record.retires ? "was replaced by another" : "has expired";
}
