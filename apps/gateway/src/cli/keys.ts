import { parseArgs } from "node:util";
import { expiryForm, parseExpiry, parsePeriod } from "../config/moment.ts";
import type { KeyChange } from "../routes/admin-keys.ts";
import type { KeyStatus } from "../teams/key-list.ts";
import { createKey } from "../teams/keys.ts";
import { type AdminClient, AdminError, createAdminClient, readAdminToken } from "./admin-client.ts";
import { type Command, type Flags, UsageError } from "./command.ts";
import { adminFlags, jsonFlag } from "./common-flags.ts";
import { textTable } from "./text-table.ts";

const options = {
  team: { type: "string", value: "T", meaning: "The team whose key it is." },
  name: { type: "string", value: "N", meaning: "What the log, usage and limits know the key by." },
  key: { type: "string", value: "ID", meaning: "The key's id, as `keys list` shows it, instead of its name." },
  expires: {
    type: "string",
    value: "90d",
    meaning: "When the key ends: after so long, or at a date or an ISO time. Never unless given.",
  },
  grace: {
    type: "string",
    value: "24h",
    meaning: "For how long the key that `rotate` replaces is still valid: a day unless given.",
  },
  offline: { type: "boolean", default: false, meaning: "Makes the key here; its hash goes into the policy file." },
  ...jsonFlag,
  ...adminFlags,
} as const satisfies Flags;
type Values = ReturnType<typeof parseArgs<{ options: typeof options }>>["values"];

/** What each action takes, beside the admin listener's address and token. */
const takes: Readonly<Record<string, readonly (keyof Values)[]>> = {
  create: ["team", "name", "expires", "offline"],
  list: ["team", "json"],
  rotate: ["team", "name", "key", "grace", "expires"],
  revoke: ["team", "name", "key"],
};

/** `signalbox keys`: makes keys, and ends them, in a gateway's store or for its policy file. */
export const keys: Command = {
  summary: "make a key for a team, replace one or end it, and see which there are",
  usage:
    "keys create --team T [--name N] [--expires 90d] [--admin URL] [--token-file FILE]\nkeys create --offline\nkeys list [--team T] [--json]\nkeys rotate --team T --name N|--key ID [--grace 24h] [--expires 90d]\nkeys revoke --team T --name N|--key ID",
  flags: options,
  exits: { 0: "done", 1: "the gateway refuses, or none answers" },
  async run([action = "", ...args]) {
    const { values } = parseArgs({ args, options });
    checkWords(action, values);
    // Without a word about a gateway there need not be one.
    if (action === "create" && (values.offline || values.team === undefined)) return createOffline(values);
    try {
      const client = createAdminClient(values.admin, await readAdminToken(values["token-file"]));
      if (action === "list") return await list(client, values);
      return await change(client, changeOf(action, values), values);
    } catch (error) {
      if (!(error instanceof AdminError)) throw error;
      console.error(error.message);
      if (action === "create" && error.code === undefined)
        console.error("With --offline the key is made here, and its hash goes into the policy file.");
      return 1;
    }
  },
};

function checkWords(action: string, values: Values): void {
  const known = takes[action];
  if (known === undefined) throw new UsageError(`keys knows: ${Object.keys(takes).join(", ")}`);
  const always = ["admin", "token-file"];
  for (const [word, value] of Object.entries(values)) {
    if (value === false || always.includes(word) || known.includes(word as keyof Values)) continue;
    throw new UsageError(`keys ${action} takes no --${word}`);
  }
  if (action !== "list" && action !== "create") {
    if (values.team === undefined) throw new UsageError(`keys ${action} wants --team`);
    if ((values.key === undefined) === (values.name === undefined))
      throw new UsageError(`keys ${action} wants either --name or --key, the id that \`keys list\` shows`);
  }
  if (values.expires !== undefined && parseExpiry(values.expires, Date.now()) === undefined)
    throw new UsageError(`--expires ${values.expires}: expected ${expiryForm}`);
  if (values.grace !== undefined && parsePeriod(values.grace) === undefined)
    throw new UsageError(`--grace ${values.grace}: expected such as 24h or 7d`);
}

function changeOf(action: string, { team = "", name, key, expires, grace }: Values): KeyChange {
  if (action === "create") return { action, team, name, expires };
  if (action === "rotate") return { action, team, name, key, expires, grace };
  return { action: "revoke", team, name, key };
}

async function change(client: AdminClient, wanted: KeyChange, values: Values): Promise<number> {
  try {
    const { key, status, replaced } = await client.changeKeys(wanted);
    if (key === undefined) console.log(`${nameOf(status)}: revoked: no replica takes it after two seconds`);
    else console.log(`key:  ${key}\nid:   ${status.id}`);
    if (replaced !== undefined) console.error(`\n${nameOf(replaced)} is valid until ${replaced.valid_until}.`);
    if (key !== undefined)
      console.error(`${told(status)} ${shownOnce} It is valid in every replica within two seconds.`);
    return 0;
  } catch (error) {
    if (!(error instanceof AdminError) || error.code !== "keys_not_stored" || wanted.action !== "create") throw error;
    console.error("This gateway has no store: the key goes into its policy file.\n");
    return createOffline(values);
  }
}

const shownOnce = "The key is shown once: give it to the team.";
const nameOf = ({ team, name, id }: KeyStatus): string => `${team}/${name ?? id} (${id})`;
const told = (status: KeyStatus): string =>
  `\n${nameOf(status)} ${status.valid_until === null ? "does not expire" : `expires at ${status.valid_until}`}.`;

function createOffline({ team = "NAME", name, expires }: Values): number {
  const { key, hash } = createKey();
  const until = expires === undefined ? undefined : new Date(parseExpiry(expires, Date.now())!).toISOString();
  console.log(`key:  ${key}`);
  console.log(`hash: ${hash}`);
  const fields = [`hash: "${hash}"`, ...(name ? [`name: ${name}`] : []), ...(until ? [`expires: ${until}`] : [])];
  const line = fields.length === 1 ? `"${hash}"` : `{ ${fields.join(", ")} }`;
  console.error(`\n${shownOnce} The hash goes into the config, under teams.${team}.keys:\n  - ${line}`);
  return 0;
}

const head = ["ID", "TEAM", "NAME", "WHERE", "CREATED", "VALID UNTIL", "STATE", "LAST USED"];

async function list(client: AdminClient, { team, json }: Values): Promise<number> {
  const answer = await client.keys(team);
  if (json) console.log(JSON.stringify(answer, null, 2));
  else console.log(textTable([head, ...answer.keys.map(row)]).join("\n"));
  if (answer.left_out > 0) console.error(`and ${answer.left_out} more: see one team's with --team`);
  return 0;
}

function row({ id, team, name, where, created, valid_until, state, last_used }: KeyStatus): string[] {
  return [id, team, name ?? "-", where, minute(created), minute(valid_until), state, minute(last_used)];
}

const minute = (iso: string | null): string => (iso === null ? "-" : `${iso.slice(0, 16)}Z`);
