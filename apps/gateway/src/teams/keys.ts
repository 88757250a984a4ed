import { hash, randomBytes, timingSafeEqual } from "node:crypto";
import type { ErrorCode } from "@signalbox/protocol";
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
    };

/** A header's values as they came: a list when the header came more than once. */
type HeaderValue = string | readonly string[] | undefined;

export interface KeyIndex {
  /** True when no key is checked. */
  readonly open: boolean;
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
});

// A key is looked up by its hash, so that a comparison's time says nothing of a key; longer ones are not worth the hashing.
const maxKeyLength = 1024;

/** Finds teams by key. `teams` undefined = open. Build one for each config. */
export function createKeyIndex(teams: ReadonlyMap<string, Team> | undefined): KeyIndex {
  const everybody: Identity = Object.freeze({ ok: true, caller: Object.freeze({ team: openTeam, key: "" }) });
  const byHash = new Map<string, { readonly hash: Buffer; readonly identity: Identity }>();
  for (const team of teams?.values() ?? []) {
    for (const key of team.keys) {
      const hex = key.slice("sha256:".length).toLowerCase();
      const identity: Identity = Object.freeze({ ok: true, caller: Object.freeze({ team, key: hex.slice(0, 8) }) });
      byHash.set(hex, { hash: Buffer.from(hex, "hex"), identity });
    }
  }
  const nobody = { hash: Buffer.alloc(32), identity: wrongKey };

  return {
    open: teams === undefined,
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
      const found = byHash.get(hex) ?? nobody;
      return timingSafeEqual(found.hash, Buffer.from(hex, "hex")) ? found.identity : wrongKey;
    },
  };
}

const refusal = (code: "invalid_api_key" | "invalid_request", message: string): Identity =>
  Object.freeze({ ok: false, code, message });
const noKey = refusal("invalid_api_key", "no API key: send it as `authorization: Bearer KEY`");
const noBearer = refusal("invalid_api_key", "no API key in the authorization header: send it as `Bearer KEY`");
const wrongKey = refusal("invalid_api_key", "this API key is not known here");
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
