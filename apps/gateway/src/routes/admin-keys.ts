import { GatewayError } from "@signalbox/protocol";
import type { Context } from "hono";
import { z } from "zod";
import type { Config, Team } from "../config/config.ts";
import { plainName } from "../config/fields.ts";
import { keyDigits } from "../config/key-id.ts";
import { expiryForm, parseExpiry, parsePeriod } from "../config/moment.ts";
import { createdRecord, type KeyChoice, revokedRecord, rotatedRecords } from "../teams/key-changes.ts";
import { type KeyStatus, listKeys, recordStatus } from "../teams/key-list.ts";
import type { KeyRecord } from "../teams/key-record.ts";
import { createKey } from "../teams/keys.ts";
import { MAX_STORED_KEYS, type StoredKeys } from "../teams/stored-keys.ts";
import { type AdminActor, type AdminView, admit } from "./admin-access.ts";

const team = z.string();
const key = z
  .string()
  .regex(/^[0-9a-f]{8}$/i, "an id has 8 hex digits")
  .optional();
const name = plainName("key").optional();
const text = z.string().optional();

/** What can be done with keys of the store. */
const KeyChange = z.discriminatedUnion("action", [
  z.strictObject({ action: z.literal("create"), team, name, expires: text }),
  z.strictObject({ action: z.literal("rotate"), team, key, name, expires: text, grace: text }),
  z.strictObject({ action: z.literal("revoke"), team, key, name }),
]);
export type KeyChange = z.infer<typeof KeyChange>;

/** The answer to `GET /keys`. */
export interface KeyList {
  /** `memory` = keys stand in the policy file alone. */
  readonly store: "memory" | "redis";
  readonly keys: readonly KeyStatus[];
  /** Keys that are not in the list, since it would be too long: ask for one team's. */
  readonly left_out: number;
}

/** The answer to a change. */
export interface KeyChanged {
  /** The key itself, shown this once; missing where none was made. */
  readonly key?: string;
  /** Of the key that was made, or revoked. */
  readonly status: KeyStatus;
  /** Of the key that is replaced. */
  readonly replaced?: KeyStatus;
}

const DEFAULT_GRACE = "24h";
const MOST_LISTED = 5000;
/** Others may change keys at the same time. */
const TRIES = 3;

/** `GET /keys`, `GET /keys?team=NAME`. */
export function answerKeyList(c: Context, view: AdminView): Response {
  admit(c, view, { role: "viewer", kind: "list" });
  const { config, keys: index } = view.serving();
  const { stored } = view;
  const teams = config.teams ?? new Map<string, Team>();
  const team = c.req.query("team");
  const { keys, leftOut } = listKeys({ teams, index, stored, now: Date.now(), team, most: MOST_LISTED });
  const store = stored === undefined ? "memory" : "redis";
  return c.json({ store, keys, left_out: leftOut } satisfies KeyList);
}

/** `POST /keys`. What it does is valid in every replica within two seconds. */
export async function changeKeys(c: Context, view: AdminView): Promise<Response> {
  const who = admit(c, view, { role: "admin", kind: "change" });
  const { stored } = view;
  if (stored === undefined) {
    const message = "this gateway has no store: keys stand in the policy file (`signalbox keys create --offline`)";
    throw new GatewayError("keys_not_stored", message);
  }
  const change = KeyChange.safeParse(await c.req.json().catch(() => undefined));
  if (!change.success) throw wrongChange(change.error);
  const owner = teamOf(view.serving().config, change.data.team);
  for (let tries = 1; ; tries++) {
    await stored.refresh();
    const plan = planOf(change.data, owner, stored);
    const done = await carryOut(plan, { view, who, stored, action: change.data.action });
    if (done !== undefined) return c.json(done);
    if (tries === TRIES)
      throw new GatewayError("keys_unavailable", "keys were changed by others all the time: try again");
  }
}

function wrongChange({ issues }: z.ZodError): GatewayError {
  const { path = [], message = "" } = issues[0] ?? {};
  const known = 'expected {"action": "create", "rotate" or "revoke", "team": NAME, ...}';
  const param = path.join(".");
  const told = param === "" || param === "action" ? known : `${param}: ${message}`;
  return new GatewayError("invalid_request", told, { param: param === "" ? undefined : param });
}

function teamOf({ teams }: Config, wanted: string): Team {
  const found = teams?.get(wanted);
  if (found !== undefined) return found;
  const names = teams === undefined ? "it is open, and has none" : [...teams.keys()].slice(0, 20).join(", ");
  const message = `the policy has no team ${JSON.stringify(wanted.slice(0, 64))}: ${names}`;
  throw new GatewayError("invalid_request", message, { param: "team" });
}

interface Plan {
  readonly records: readonly KeyRecord[];
  readonly before: KeyStatus | null;
  readonly after: KeyStatus;
  readonly answer: KeyChanged;
}

function planOf(change: KeyChange, owner: Team, stored: StoredKeys): Plan {
  const now = Date.now();
  if (change.action === "revoke") {
    refuseFileKey(owner, change);
    const { old, next } = revokedRecord(stored.records(), change, now);
    const status = recordStatus(next, now);
    return { records: [next], before: recordStatus(old, now), after: status, answer: { status } };
  }
  if (stored.size >= MAX_STORED_KEYS) {
    throw new GatewayError("invalid_request", `the store has ${stored.size} keys, and takes no more`);
  }
  const expires = change.expires === undefined ? undefined : expiryOf(change.expires, now);
  const { key: made, hash: written } = createKey();
  const hash = written.slice("sha256:".length);
  if (change.action === "create") {
    const taken = new Set(owner.keys.map(({ id }) => id));
    const record = createdRecord(stored.records(), taken, { hash, team: owner.name, name: change.name, now, expires });
    const status = recordStatus(record, now);
    return { records: [record], before: null, after: status, answer: { key: made, status } };
  }
  refuseFileKey(owner, change);
  const graceMs = parsePeriod(change.grace ?? DEFAULT_GRACE);
  if (graceMs === undefined)
    throw new GatewayError("invalid_request", "grace: expected such as 24h or 7d", { param: "grace" });
  const { old, next } = rotatedRecords(stored.records(), change, { hash, now, expires, graceMs });
  const status = recordStatus(next, now);
  const replaced = recordStatus(old, now);
  return { records: [next, old], before: replaced, after: status, answer: { key: made, status, replaced } };
}

function expiryOf(written: string, now: number): number {
  const expires = parseExpiry(written, now);
  if (expires !== undefined) return expires;
  throw new GatewayError("invalid_request", `expires: expected ${expiryForm}`, { param: "expires" });
}

/** The file has the last word on its own keys. */
function refuseFileKey({ name: owner, keys }: Team, choice: KeyChoice): void {
  const found = keys.find(({ hash, name: own }) =>
    choice.key === undefined ? own !== undefined && own === choice.name : keyDigits(hash) === choice.key.toLowerCase(),
  );
  if (found === undefined) return;
  const message = `the key «${found.id}» of the team ${owner} stands in the policy file: change it there`;
  throw new GatewayError("invalid_request", message, { param: choice.key === undefined ? "name" : "key" });
}

interface Doing {
  readonly view: AdminView;
  readonly who: AdminActor;
  readonly stored: StoredKeys;
  readonly action: KeyChange["action"];
}

/** Undefined = somebody else changed keys meanwhile, and nothing was done. */
async function carryOut(plan: Plan, { view, who, stored, action }: Doing): Promise<KeyChanged | undefined> {
  const { id, team: owner, name: known } = plan.after;
  const target = `${owner}/${known ?? id}`;
  const entry = { ...who, action: `key.${action}`, target, before: plan.before, after: plan.after };
  const written = await view.audit
    .around(entry, async () => {
      if (await stored.write(plan.records)) return true;
      throw new Conflict();
    })
    .catch((error: unknown) => {
      if (error instanceof Conflict) return false;
      throw error;
    });
  if (!written) return undefined;
  view.log.warn("key changed", { action, team: owner, id, name: known, by: who.actor });
  return plan.answer;
}

/** Somebody else changed keys at the same time. */
class Conflict extends Error {
  override readonly name = "Conflict";
}
