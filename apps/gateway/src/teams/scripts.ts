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

/** The programs of the store, read from their files. */
export const scripts = {
  reserve: load("reserve", { repeatable: false }),
  settle: load("settle", { repeatable: true }),
  renew: load("renew", { repeatable: true }),
  used: load("used", { repeatable: true }),
  seed: load("seed", { repeatable: true }),
  beat: load("beat", { repeatable: true }),
  version: load("version", { repeatable: true }),
  keysSince: load("keys-since", { repeatable: true }),
  keysWrite: load("keys-write", { repeatable: false }),
};

function load(name: string, { repeatable }: { readonly repeatable: boolean }): Script {
  const read = (file: string): string => readFileSync(new URL(`./scripts/${file}.lua`, import.meta.url), "utf8");
  const alone = name === "version" || name.startsWith("keys-");
  const source = alone ? read(name) : `${read("shared")}\n${read(name)}`;
  return Object.freeze({ name, source, sha1: hash("sha1", source, "hex"), repeatable });
}
