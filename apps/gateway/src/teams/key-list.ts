import type { Team } from "../config/config.ts";
import { keyDigits } from "../config/key-id.ts";
import { type KeyRecord, validUntil } from "./key-record.ts";
import type { KeyIndex } from "./keys.ts";
import type { StoredKeys } from "./stored-keys.ts";

/** A key as the admin listener tells it: never the key, and of its hash 8 digits. Times are ISO. */
export interface KeyStatus {
  /** The first 8 hex digits of the key's hash. */
  readonly id: string;
  readonly team: string;
  readonly name: string | null;
  readonly where: "policy" | "store";
  /** Null = not known. */
  readonly created: string | null;
  /** Null = never. */
  readonly valid_until: string | null;
  /** `retiring` = replaced, and valid for its grace time; `no_team` = the policy has not its team. */
  readonly state: "valid" | "retiring" | "retired" | "expired" | "revoked" | "no_team";
  /** By this replica, to the minute; null = not since it started. */
  readonly last_used: string | null;
}

export interface KeyListOptions {
  readonly teams: ReadonlyMap<string, Team>;
  readonly index: Pick<KeyIndex, "lastUsed">;
  readonly stored: Pick<StoredKeys, "records" | "lastUsed"> | undefined;
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Of this team alone. */
  readonly team?: string | undefined;
  /** Most keys in the list; those of the policy file come first. */
  readonly most: number;
}

/** Keys by team and then by age, and how many did not fit. */
export function listKeys(options: KeyListOptions): { readonly keys: KeyStatus[]; readonly leftOut: number } {
  const { teams, index, stored, now, team, most } = options;
  const fromFile = [...teams.values()].flatMap(({ name: owner, keys }): KeyStatus[] =>
    keys.map(({ hash, name, expiresAt }) => ({
      id: keyDigits(hash),
      team: owner,
      name: name ?? null,
      where: "policy",
      created: null,
      valid_until: isoOrNull(expiresAt),
      state: expiresAt > now ? "valid" : "expired",
      last_used: minuteOf(index.lastUsed(hash.slice("sha256:".length))),
    })),
  );
  const meant = fromFile.filter((each) => team === undefined || each.team === team);
  const keys = meant.slice(0, most);
  let leftOut = meant.length - keys.length;
  for (const record of stored?.records() ?? []) {
    if (team !== undefined && record.team !== team) continue;
    if (keys.length === most) leftOut++;
    else {
      const state = teams.has(record.team) ? {} : { state: "no_team" as const };
      keys.push({ ...recordStatus(record, now), ...state, last_used: minuteOf(stored?.lastUsed(record.hash) ?? 0) });
    }
  }
  keys.sort((a, b) => compare(a.team, b.team) || compare(a.created ?? "", b.created ?? ""));
  return { keys, leftOut };
}

/** A key of the store. */
export function recordStatus(record: KeyRecord, now: number): KeyStatus {
  return {
    id: keyDigits(record.hash),
    team: record.team,
    name: record.name ?? null,
    where: "store",
    created: new Date(record.created).toISOString(),
    valid_until: isoOrNull(validUntil(record)),
    state: stateOf(record, now),
    last_used: null,
  };
}

function stateOf(record: KeyRecord, now: number): KeyStatus["state"] {
  const { expires, retires, revoked } = record;
  if (validUntil(record) > now) return retires === undefined ? "valid" : "retiring";
  if (revoked !== undefined) return "revoked";
  return expires !== undefined && expires <= now ? "expired" : "retired";
}

const isoOrNull = (ms: number): string | null => (Number.isFinite(ms) ? new Date(ms).toISOString() : null);
const minuteOf = (ms: number): string | null => (ms === 0 ? null : new Date(ms - (ms % 60_000)).toISOString());
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
