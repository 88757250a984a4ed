import { hash, randomBytes, timingSafeEqual } from "node:crypto";
import type { ErrorCode } from "@signalbox/protocol";
import { holderOf } from "@signalbox/router";
import type { Team } from "../config/config.ts";

/** A new key, shown once, and the hash that goes into the policy file. */
export interface NewKey {
  /** `sb-` and 43 base64url characters: 256 random bits. */
  readonly key: string;
  /** `sha256:` and 64 hex digits. */
  readonly hash: string;
}

/** Makes a key that nobody has. */
export function createKey(): NewKey {
  const key = `sb-${randomBytes(32).toString("base64url")}`;
  return { key, hash: hashKey(key) };
}

/** The hash of a key, as the policy file holds it. */
export function hashKey(key: string): string {
  return `sha256:${hash("sha256", key, "hex")}`;
}

/** Who asks. */
export interface Caller {
  readonly team: Team;
  /** The key's name, or the first 8 hex digits of its hash; empty where no key is checked. */
  readonly key: string;
}

/** Who asks, or why that cannot be told. */
type Identity =
  | { readonly ok: true; readonly caller: Caller }
  | {
      readonly ok: false;
      readonly code: ErrorCode & ("invalid_api_key" | "invalid_request");
      readonly message: string;
      /** Why, for the log alone: who asks learns no more than that the key is not known. */
      readonly fault?: string;
    };

/** A header's values as they came: a list when the header came more than once. */
type HeaderValue = string | readonly string[] | undefined;

/** A key that is known, and until when it is valid. It stands for itself over reloads, with what was seen of it. */
export interface KnownKey {
  /** SHA-256 of the key. */
  readonly hash: Buffer;
  readonly team: string;
  /** Its name, or the first 8 hex digits of its hash. */
  readonly id: string;
  /** Milliseconds since 1970; Infinity = for ever. */
  readonly validUntil: number;
  /** Why it is not valid from then on, in a word for the log. */
  readonly ending: string;
  /** When it was last taken, in milliseconds since 1970; 0 = not since this process started. */
  usedAt: number;
  /** What it gives, as long as the config in force is the one that it was found for. */
  identity: (Identity & { readonly ok: true }) | undefined;
}

/** Keys beside those of the policy file, by the hex digits of their hash. They come and go while a config is in force. */
export interface MoreKeys {
  get(hex: string): KnownKey | undefined;
}

export interface KeyIndex {
  /** True when no key is checked. */
  readonly open: boolean;
  /** When a key of the policy file was last taken, by the hex digits of its hash; 0 = never. */
  lastUsed(hex: string): number;
  /**
   * The team and the key of a request, by `authorization: Bearer KEY` or `x-api-key: KEY`. In an open gateway everybody is the team
   * `default`. A few microseconds, the same for every key that is wrong.
   */
  identify(authorization: HeaderValue, apiKey?: HeaderValue): Identity;
}

/** The team of every request to an open gateway. */
export const openTeam: Team = Object.freeze({
  name: "default",
  keys: [],
  models: undefined,
  limits: Object.freeze({}),
  priority: "standard",
  weight: 1,
  holder: Object.freeze(holderOf({ team: "default", weight: 1, priority: "standard" })),
});

// A key is looked up by its hash, so that a comparison's time says nothing of a key; longer ones are not worth the hashing.
const maxKeyLength = 1024;

export interface KeyIndexOptions {
  /** Asked for keys that the file does not have. */
  readonly more?: MoreKeys | undefined;
  /** The index of the config before, whose keys keep what was seen of them. */
  readonly previous?: Pick<KeyIndex, "lastUsed"> | undefined;
  /** Milliseconds since 1970. */
  readonly wallClock?: () => number;
}

/** Finds teams by key. `teams` undefined = open. Build one for each config. */
export function createKeyIndex(
  teams: ReadonlyMap<string, Team> | undefined,
  { more, previous, wallClock = Date.now }: KeyIndexOptions = {},
): KeyIndex {
  const everybody: Identity = Object.freeze({ ok: true, caller: Object.freeze({ team: openTeam, key: "" }) });
  const byHash = new Map<string, KnownKey>();
  for (const team of teams?.values() ?? []) {
    for (const { hash: written, id, expiresAt } of team.keys) {
      const hex = written.slice("sha256:".length);
      const known = createKnownKey({ hex, team: team.name, id, validUntil: expiresAt, ending: "has expired" });
      known.usedAt = previous?.lastUsed(hex) ?? 0;
      byHash.set(hex, known);
    }
  }

  return {
    open: teams === undefined,
    lastUsed: (hex) => byHash.get(hex)?.usedAt ?? 0,
    identify(authorization, apiKey) {
      if (isRepeated(authorization)) return twoAuthorizations;
      if (isRepeated(apiKey)) return twoApiKeys;
      if (teams === undefined) return everybody;
      const bearer = bearerKey(single(authorization));
      const plain = single(apiKey)?.trim();
      if (bearer && plain && bearer !== plain) return differentKeys;
      const key = bearer || plain;
      if (!key) return authorization === undefined ? noKey : noBearer;
      if (key.length > maxKeyLength) return wrongKey;
      const hex = hash("sha256", key, "hex");
      const found = byHash.get(hex) ?? more?.get(hex) ?? nobody;
      if (!timingSafeEqual(found.hash, Buffer.from(hex, "hex"))) return wrongKey;
      const now = wallClock();
      if (now >= found.validUntil) return endedKey(found, found.ending);
      const team = teams.get(found.team);
      if (team === undefined) return endedKey(found, "has a team that the policy has not");
      found.usedAt = now;
      if (found.identity?.caller.team !== team) found.identity = { ok: true, caller: { team, key: found.id } };
      return found.identity;
    },
  };
}

/** A key that was not used yet; `hex` = its hash. */
export function createKnownKey({
  hex,
  ...known
}: Pick<KnownKey, "team" | "id" | "validUntil" | "ending"> & { readonly hex: string }): KnownKey {
  return { hash: Buffer.from(hex, "hex"), ...known, usedAt: 0, identity: undefined };
}

const nobody = createKnownKey({ hex: "00".repeat(32), team: "", id: "", validUntil: 0, ending: "" });

function endedKey({ team, id }: KnownKey, ending: string): Identity {
  return {
    ok: false,
    code: "invalid_api_key",
    message: wrongKeyMessage,
    fault: `the key ${id} of team ${team} ${ending}`,
  };
}

const refusal = (code: "invalid_api_key" | "invalid_request", message: string): Identity =>
  Object.freeze({ ok: false, code, message });
const noKey = refusal("invalid_api_key", "no API key: send it as `authorization: Bearer KEY`");
const noBearer = refusal("invalid_api_key", "no API key in the authorization header: send it as `Bearer KEY`");
const wrongKeyMessage = "this API key is not known here";
const wrongKey = refusal("invalid_api_key", wrongKeyMessage);
const differentKeys = refusal("invalid_api_key", "authorization and x-api-key hold different keys: send one of them");
const twoAuthorizations = refusal("invalid_request", "the authorization header came more than once");
const twoApiKeys = refusal("invalid_request", "the x-api-key header came more than once");

const isRepeated = (value: HeaderValue): boolean => typeof value === "object" && value.length > 1;
const single = (value: HeaderValue): string | undefined => (typeof value === "object" ? value[0] : value);

function bearerKey(authorization: string | undefined): string | undefined {
  if (authorization === undefined || authorization.length < 8) return undefined;
  if (authorization.charCodeAt(6) !== 32 || authorization.slice(0, 6).toLowerCase() !== "bearer") return undefined;
  return authorization.slice(7).trim();
}
