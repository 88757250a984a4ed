import { adminName } from "./compile-keys.ts";
import { keyDigits } from "./key-id.ts";
import { entriesOf, itemsOf, memberOf } from "./loose.ts";
import type { Problem } from "./problems.ts";

/** What is wrong with teams' keys, each well-formed as far as a schema can say, and between them. */
export function keyProblems(value: unknown): Problem[] {
  const problems: Problem[] = [];
  const owners = new Map<string, string>();
  for (const [team, entry] of entriesOf(memberOf(value, "teams"))) {
    const ids = new Map<string, number>();
    itemsOf(memberOf(entry, "keys")).forEach((key, index) => {
      const isText = typeof key === "string";
      const path = ["teams", team, "keys", index];
      const at = isText ? path : [...path, "hash"];
      const hash = isText ? key : memberOf(key, "hash");
      if (typeof hash !== "string") return;
      const message = hashProblem(hash) ?? ownerProblem(hash, team, owners);
      if (message !== undefined) problems.push({ path: at, message });
      owners.set(hash.toLowerCase(), team);
      const name = isText ? undefined : memberOf(key, "name");
      const id = typeof name === "string" ? name : keyDigits(hash);
      const first = ids.get(id);
      if (first === undefined) ids.set(id, index);
      else if (message === undefined) {
        problems.push({
          path: isText ? path : [...path, "name"],
          message: `keys[${first}] is known by «${id}» already`,
        });
      }
    });
  }
  return problems;
}

function ownerProblem(hash: string, team: string, owners: ReadonlyMap<string, string>): string | undefined {
  const owner = owners.get(hash.toLowerCase());
  if (owner === undefined) return undefined;
  return `this key's hash ${owner === team ? "stands here twice" : `is a key of the team «${owner}» too`}`;
}

/** What is wrong between the admin listener's tokens. */
export function adminProblems(value: unknown): Problem[] {
  const server = memberOf(value, "server");
  const names = new Set<unknown>(memberOf(server, "admin_token_file") === undefined ? [] : [adminName]);
  const hashes = new Set<string>();
  return itemsOf(memberOf(server, "admin_tokens")).flatMap((entry, index): Problem[] => {
    const path = ["server", "admin_tokens", index];
    const name = memberOf(entry, "name");
    const hash = memberOf(entry, "hash");
    const problems: Problem[] = [];
    if (typeof entry !== "object" || entry === null) return problems;
    if ((hash === undefined) === (memberOf(entry, "token_file") === undefined)) {
      problems.push({ path, message: "wants either `token_file` or `hash`" });
    }
    if (names.has(name)) {
      const why = name === adminName ? "the name «admin» is that of `admin_token_file`" : "";
      problems.push({
        path: [...path, "name"],
        message: why || `another token has the name «${String(name)}» already`,
      });
    }
    names.add(name);
    if (typeof hash !== "string") return problems;
    const message =
      hashProblem(hash) ?? (hashes.has(hash.toLowerCase()) ? "this hash is another token's too" : undefined);
    if (message !== undefined) problems.push({ path: [...path, "hash"], message });
    hashes.add(hash.toLowerCase());
    return problems;
  });
}

/** What is wrong with the form of a hash; undefined = nothing. Never repeats the text: it may be a key. */
function hashProblem(key: string): string | undefined {
  if (/^sha256:[0-9a-f]{64}$/i.test(key)) return undefined;
  const digits = /^(?:sha-?256[:=\s])?([0-9a-f]+)$/i.exec(key)?.[1];
  if (digits?.length === 64) return "a hash begins with `sha256:`, followed by its 64 hex digits";
  if (digits !== undefined && /^sha/i.test(key)) return `a hash has 64 hex digits, and this one has ${digits.length}`;
  if (/^sha256:/i.test(key))
    return "a hash is `sha256:` and 64 hex digits (0-9, a-f), and this one holds other characters";
  return "a secret stands in the file: keys are given as `sha256:` and the hash (`signalbox keys create` prints both)";
}
