import { repairJson, skipSpace } from "./repair-json.ts";

/** A call as a model or an engine writes it in JSON. */
export interface CallObject {
  readonly name: string;
  /** JSON text of an object: the slice as it was written, where that was valid; `{}` when the call has none. */
  readonly arguments: string;
  /** The id that the call brought; undefined = none. */
  readonly id: string | undefined;
  /** Commas, quotes or other spelling had to be put right. */
  readonly repaired: boolean;
}

const nameKeys = ["name", "tool", "tool_name", "function"];
const argumentsKeys = ["arguments", "parameters", "args", "input"];

/**
 * The calls of one JSON value that is valid or nearly so: an object, or an array of objects, each with a name and, as an object
 * or as a string that holds one, its arguments; OpenAI's nesting in `function` counts as well.
 * undefined = not JSON, no call in it, or one of its elements is not a call.
 */
export function readCallObjects(text: string): readonly CallObject[] | undefined {
  const json = repairJson(text);
  if (json === undefined) return undefined;
  const objects = json.startsWith("[") ? elementSlices(json) : [json];
  const repaired = json !== text.trim();
  const calls: CallObject[] = [];
  for (const object of objects) {
    const call = readCall(object, repaired);
    if (call === undefined) return undefined;
    calls.push(call);
  }
  return calls.length > 0 ? calls : undefined;
}

function readCall(json: string, repaired: boolean): CallObject | undefined {
  const outer = memberSlices(json);
  if (outer === undefined) return undefined;
  const inner = memberSlices(outer.get("function") ?? "") ?? outer;
  const name = stringOf(firstOf(inner, nameKeys));
  // Arguments may stand beside a nested name; a call must not lose them.
  const slice = firstOf(inner, argumentsKeys) ?? firstOf(outer, argumentsKeys) ?? "";
  const args = slice.startsWith("{") ? { json: slice, repaired: false } : readArguments(slice);
  if (name === undefined || name === "" || args === undefined) return undefined;
  const id = stringOf(outer.get("id"));
  return { name, arguments: args.json, id: id === "" ? undefined : id, repaired: repaired || args.repaired };
}

function firstOf(members: ReadonlyMap<string, string>, keys: readonly string[]): string | undefined {
  for (const key of keys) {
    const slice = members.get(key);
    if (slice !== undefined && slice !== "null") return slice;
  }
  return undefined;
}

/**
 * The arguments of a call from JSON text that is valid or nearly so: an object, a string that holds one, or nothing, null and ""
 * for none at all. `json` is the object's own text where that was valid. undefined = anything else.
 */
export function readArguments(text: string): { json: string; repaired: boolean } | undefined {
  return readObject(text) ?? readObject(stringOf(repairJson(text)));
}

function readObject(text: string | undefined): { json: string; repaired: boolean } | undefined {
  const trimmed = text?.trim();
  if (trimmed === undefined) return undefined;
  if (trimmed === "" || trimmed === "null") return { json: "{}", repaired: false };
  const json = repairJson(trimmed);
  return json?.startsWith("{") ? { json, repaired: json !== trimmed } : undefined;
}

function stringOf(slice: string | undefined): string | undefined {
  return slice?.startsWith('"') ? (JSON.parse(slice) as string) : undefined;
}

/** The members of valid JSON with their values as they are written, the last of a repeated key; undefined = not an object. */
export function memberSlices(json: string): Map<string, string> | undefined {
  const from = skipSpace(json, 0);
  if (json[from] !== "{") return undefined;
  const members = new Map<string, string>();
  let at = skipSpace(json, from + 1);
  while (json[at] === '"') {
    const keyEnd = endOfString(json, at);
    const valueAt = skipSpace(json, skipSpace(json, keyEnd) + 1);
    const valueEnd = endOfValue(json, valueAt);
    members.set(JSON.parse(json.slice(at, keyEnd)) as string, json.slice(valueAt, valueEnd));
    // Past the comma, or the brace that ends it all.
    at = skipSpace(json, skipSpace(json, valueEnd) + 1);
  }
  return members;
}

function elementSlices(json: string): string[] {
  const elements: string[] = [];
  let at = skipSpace(json, 1);
  if (json[at] === "]") return elements;
  while (at < json.length) {
    const end = endOfValue(json, at);
    elements.push(json.slice(at, end));
    at = skipSpace(json, skipSpace(json, end) + 1);
  }
  return elements;
}

/** The index after the closing quote of the JSON string that opens at `open`; past the end of the text when it has none. */
export function endOfString(json: string, open: number): number {
  let at = open + 1;
  while (at < json.length && json[at] !== '"') at += json[at] === "\\" ? 2 : 1;
  return at + 1;
}

function endOfValue(json: string, from: number): number {
  let at = from;
  for (let depth = 0; at < json.length; ) {
    const char = json[at];
    if (char === '"') at = endOfString(json, at);
    else if (char === "," || char === "}" || char === "]" || char === "{" || char === "[") {
      if (char === "{" || char === "[") depth++;
      else if (depth === 0) return at;
      else if (char !== ",") depth--;
      at++;
    } else if (depth === 0 && skipSpace(json, at) > at) return at;
    else at++;
    if (depth === 0 && (char === '"' || char === "}" || char === "]")) return at;
  }
  return at;
}
