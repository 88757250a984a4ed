import { repairJson } from "./json/repair-json.ts";
import { OpenJson } from "./open-json.ts";
import type { DeclaredTool } from "./tools.ts";

/** How often an object that came twice is looked for: each look may read the whole text. */
const maxLooks = 8;

/** JSON.parse takes seconds for megabytes of brackets, and nobody means what is nested deeper. */
const maxDepth = 512;

function isTooDeep(text: string): boolean {
  if (text.length <= 2 * maxDepth) return false;
  const json = new OpenJson();
  json.push(text);
  return json.deepest > maxDepth;
}

/** The value of a JSON object or string; undefined for all else. */
function parse(text: string): unknown {
  // An exception costs a hundred times as much as this look.
  if (!/^\s*["{]/.test(text) || !/["}]$/.test(text.trimEnd()) || isTooDeep(text)) return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/**
 * The arguments as they stand: the same text when it is a JSON object, what is in it when it is a string that holds one.
 * Undefined for everything else.
 */
export function readArguments(raw: string): string | undefined {
  const value = parse(raw);
  if (typeof value === "string") return readArguments(value);
  return value === undefined ? undefined : raw;
}

/** No arguments were sent; a lone brace is the beginning of none. */
export function isNothing(raw: string): boolean {
  return ["", "null", '""', "{"].includes(raw.trim());
}

/** The tool can be called without arguments, for all that is known of it. */
export function needsNothing(tool: DeclaredTool | undefined): boolean {
  const parameters = tool?.parameters;
  if (typeof parameters !== "object") return true;
  return !Array.isArray(parameters.required) || parameters.required.length === 0;
}

/**
 * Arguments that are no JSON, put right without a guess at what they say; undefined when that cannot be done.
 * `closes`: the model had ended by itself, so that missing brackets at the end are the engine's fault.
 */
export function mendArguments(raw: string, closes: boolean): string | undefined {
  const value = parse(raw);
  if (typeof value === "string") return mendArguments(value, closes);
  const text = raw.trim();
  const repaired = repairJson(text);
  if (repaired !== undefined) return readArguments(repaired);
  const closed = repairJson(text, { close: true });
  if (closed === undefined) return restarted(text);
  // Behind a comma or an opening bracket something was to come: closing there would lose it unseen.
  return closes && !/[,{[]$/.test(text) ? readArguments(closed) : undefined;
}

/**
 * `{"c":1{"c":1,"d":2}`: an engine sent the beginning of an object, then all of it.
 * https://github.com/sgl-project/sglang/issues/23071
 */
function restarted(text: string): string | undefined {
  if (!text.startsWith("{") || !text.endsWith("}")) return undefined;
  let looks = maxLooks;
  for (let at = text.indexOf("{", 1); at > 0 && looks > 0; at = text.indexOf("{", at + 1)) {
    if (!text.startsWith(text.slice(0, at).trimEnd(), at)) continue;
    looks--;
    const rest = text.slice(at);
    if (parse(rest) !== undefined) return rest;
  }
  return undefined;
}
