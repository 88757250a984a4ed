import { GatewayError } from "@signalbox/protocol";
import { keyDigits } from "../config/key-id.ts";
import { idOf, type KeyRecord, validUntil } from "./key-record.ts";

/** Which key of a team is meant: by the digits of its hash, or by its name. */
export interface KeyChoice {
  readonly team: string;
  readonly key?: string | undefined;
  readonly name?: string | undefined;
}

/** A key that is to be made. Times are milliseconds since 1970. */
export interface NewRecord {
  readonly hash: string;
  readonly team: string;
  readonly name: string | undefined;
  readonly now: number;
  readonly expires: number | undefined;
}

type Records = Iterable<KeyRecord>;

/**
 * The record of a new key. `taken` = what keys of the team in the policy file are known by.
 * @throws GatewayError `invalid_request` when a valid key of the team is known by the same name, or it would have expired.
 */
export function createdRecord(records: Records, taken: ReadonlySet<string>, wanted: NewRecord): KeyRecord {
  const { hash, team, name, now, expires } = wanted;
  const id = idOf(wanted);
  const other = [...records].find((record) => record.team === team && idOf(record) === id && validUntil(record) > now);
  if (other !== undefined || taken.has(id)) {
    throw wrong(`a key of the team ${team} is known by «${id}» already: give another name, or rotate that key`, "name");
  }
  if (expires !== undefined && expires <= now) throw wrong("a key cannot expire before it is made", "expires");
  return { hash, team, name, created: now, expires, retires: undefined, revoked: undefined, revision: 1 };
}

/** A key that takes another's place. */
export interface Rotation {
  readonly old: KeyRecord;
  readonly next: KeyRecord;
}

/**
 * The records of a key and of the one that takes its place, both valid until `graceMs` from now. The new one goes on under
 * the same name, and expires, unless told, as long after it was made as the old one did.
 * @throws GatewayError `invalid_request` when no valid key is meant, or one that is being replaced already.
 */
export function rotatedRecords(
  records: Records,
  choice: KeyChoice,
  { hash, now, expires, graceMs }: { hash: string; now: number; expires: number | undefined; graceMs: number },
): Rotation {
  const live = validOnes(records, choice, now);
  const old = live.find(({ retires }) => retires === undefined);
  if (old === undefined) {
    if (live.length === 0) throw noSuchKey(choice);
    throw wrong(`the key ${keyDigits(live[0]!.hash)} is being replaced already`, "key");
  }
  const { team, name, created } = old;
  const lasts = old.expires === undefined ? undefined : now + old.expires - created;
  const end = expires ?? lasts;
  if (end !== undefined && end <= now) throw wrong("a key cannot expire before it is made", "expires");
  return {
    old: { ...old, retires: now + graceMs, revision: old.revision + 1 },
    next: { hash, team, name, created: now, expires: end, retires: undefined, revoked: undefined, revision: 1 },
  };
}

/**
 * The record of a key that is valid no more.
 * @throws GatewayError `invalid_request` when no valid key is meant, or more than one.
 */
export function revokedRecord(records: Records, choice: KeyChoice, now: number): { old: KeyRecord; next: KeyRecord } {
  const live = validOnes(records, choice, now);
  const [old, ...others] = live;
  if (old === undefined) throw noSuchKey(choice);
  if (others.length > 0) {
    const ids = live.map(
      ({ hash, retires }) => `${keyDigits(hash)}${retires === undefined ? "" : " (being replaced)"}`,
    );
    throw wrong(`more than one key has the name «${choice.name}»: give the id of one: ${ids.join(", ")}`, "name");
  }
  return { old, next: { ...old, revoked: now, revision: old.revision + 1 } };
}

function validOnes(records: Records, { team, key, name }: KeyChoice, now: number): KeyRecord[] {
  if ((key === undefined) === (name === undefined))
    throw wrong("say which key is meant: by `key`, its id, or by `name`", "key");
  return [...records].filter((record) => {
    const isMeant = key === undefined ? record.name === name : keyDigits(record.hash) === key.toLowerCase();
    return record.team === team && isMeant && validUntil(record) > now;
  });
}

const noSuchKey = ({ team, key, name }: KeyChoice): GatewayError =>
  wrong(`the team ${team} has no valid key «${key ?? name}» in the store`, key === undefined ? "name" : "key");

const wrong = (message: string, param: string): GatewayError => new GatewayError("invalid_request", message, { param });
