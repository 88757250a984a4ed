import type { Cursor } from "../cursor.ts";
import { readArguments } from "../json/call-objects.ts";
import { repairJson } from "../json/repair-json.ts";
import { LiteralSet, PARTIAL } from "../literals.ts";
import { jsonValue } from "./json-calls.ts";
import { quotedString } from "./quoted.ts";

const nothing = LiteralSet.of();

/**
 * Reads the arguments of a call that begin here: an object, or a string that holds one. Closing brackets may be missing
 * where one of `ends` follows. Undefined = they are neither, or not complete.
 */
export function* jsonArguments(
  read: Cursor,
  ends: LiteralSet<unknown> = nothing,
): Generator<undefined, { json: string; repaired: boolean } | undefined, undefined> {
  if (read.code() === 0x22) {
    read.mark();
    return (yield* quotedString(read)) ? readArguments(read.marked()) : undefined;
  }
  const value = read.code() === 0x7b ? yield* jsonValue(read) : undefined;
  if (value === undefined) return undefined;
  if (!value.lacksClosers) return readArguments(value.text);
  let end = read.peek(ends);
  for (; end === PARTIAL; end = read.peek(ends)) yield;
  const json = end === undefined ? undefined : repairJson(value.text, { close: true });
  return json === undefined ? undefined : { json, repaired: true };
}
