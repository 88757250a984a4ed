import { hash } from "node:crypto";
import { readFileSync } from "node:fs";

/** A program that Redis runs as one step. */
export interface Script {
  readonly name: string;
  readonly source: string;
  /** By which `EVALSHA` knows it: 40 hex digits. */
  readonly sha1: string;
  /** Running it again with the same arguments changes nothing more: it may be sent again when its answer was lost. */
  readonly repeatable: boolean;
}

/** A script with what it is to run on. */
export interface ScriptCall {
  readonly script: Script;
  readonly keys: readonly string[];
  readonly args: readonly (string | number)[];
}

/** Runs scripts in Redis. */
export interface ScriptRunner {
  /** All of `keys` have the same hash tag. Resolves with Redis' answer, rejects when there is none. */
  run(script: Script, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown>;
}

const read = (file: string): string => readFileSync(new URL(`./scripts/${file}.lua`, import.meta.url), "utf8");
const asFunction = (name: string): string => `local function ${name}(KEYS, ARGV)\n${read(name)}\nend`;

/** A script, with the hash that Redis will know it by. */
export function createScript(name: string, source: string, repeatable: boolean): Script {
  return Object.freeze({ name, source, sha1: hash("sha1", source, "hex"), repeatable });
}

/** The programs of the store, read from their files. */
export const scripts = {
  reserve: load("reserve", { repeatable: false }),
  settle: load("settle", { repeatable: true }),
  turn: load("turn", { repeatable: false }),
  renew: load("renew", { repeatable: true }),
  used: load("used", { repeatable: true }),
  seed: load("seed", { repeatable: true }),
  beat: load("beat", { repeatable: true }),
  version: load("version", { repeatable: true }),
  keysSince: load("keys-since", { repeatable: true }),
  keysWrite: load("keys-write", { repeatable: false }),
};

function load(name: string, { repeatable }: { readonly repeatable: boolean }): Script {
  return createScript(name, [...beginningOf(name), read(name)].join("\n"), repeatable);
}

/** What stands before a script's own text. */
function beginningOf(name: string): string[] {
  if (name === "version" || name.startsWith("keys-")) return [];
  return name === "turn" ? [read("shared"), asFunction("reserve"), asFunction("settle")] : [read("shared")];
}
