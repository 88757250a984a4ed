import { readPythonLiteral, skipSpace } from "./json/repair-json.ts";

/** A call as it is written in Python. */
export interface PythonCall {
  readonly name: string;
  /** JSON text of an object. */
  readonly arguments: string;
}

const callName = /[\p{L}_][\p{L}\p{N}_.-]*/uy;
const keyword = /[\p{L}_][\p{L}\p{N}_-]*/uy;

/**
 * Reads one whole call, `name(a=1, b="x")`, with nothing but keywords and literals; true, false and null count as literals, too.
 * Numbers keep their spelling; the last of a repeated keyword wins.
 * undefined = anything else: a positional argument, an expression, text before or behind it.
 */
export function readPythonCall(text: string): PythonCall | undefined {
  const trimmed = text.trim();
  const nameEnd = endOf(callName, trimmed, 0);
  const open = skipSpace(trimmed, nameEnd);
  if (nameEnd === 0 || trimmed[open] !== "(") return undefined;
  const members = new Map<string, string>();
  let at = skipSpace(trimmed, open + 1);
  while (trimmed[at] !== ")") {
    const keyEnd = endOf(keyword, trimmed, at);
    const equals = skipSpace(trimmed, keyEnd);
    if (keyEnd === at || trimmed[equals] !== "=") return undefined;
    const value = readPythonLiteral(trimmed, skipSpace(trimmed, equals + 1));
    if (value === undefined) return undefined;
    members.set(trimmed.slice(at, keyEnd), value.json);
    at = skipSpace(trimmed, value.end);
    if (trimmed[at] === ",") at = skipSpace(trimmed, at + 1);
    else if (trimmed[at] !== ")") return undefined;
  }
  if (at !== trimmed.length - 1) return undefined;
  const json = Array.from(members, ([key, value]) => `${JSON.stringify(key)}:${value}`);
  return { name: trimmed.slice(0, nameEnd), arguments: `{${json.join(",")}}` };
}

function endOf(pattern: RegExp, text: string, from: number): number {
  pattern.lastIndex = from;
  return pattern.test(text) ? pattern.lastIndex : from;
}
