import { dialects } from "./dialects.ts";
import type { JsonSchema, ToolSet } from "./tools.ts";

/** Words of the forms that stand in no dialect's literals or example. */
const otherWords =
  "all analysis ARGS args arguments assistant CALL_ID code false False final function functionname functionĠname functions id item " +
  "json name none None null param paramname paramĠname parameter parameters tool tool_call tool_calls tool_name tool_use true " +
  "True type";

/** What stands in every example for a value. */
const values = new Set(["Lyon"]);

const wordPattern = /[\p{L}\p{M}\p{N}_]+/gu;

function wordsOf(texts: Iterable<string>): string[] {
  return [...texts].flatMap((text) => text.match(wordPattern) ?? []);
}

let known: ReadonlySet<string> | undefined;

/** The words of all dialects: their tags, tokens and attributes. Numbers are none. */
function formWords(): ReadonlySet<string> {
  known ??= new Set(
    Object.values(dialects)
      .flatMap(({ envelopes, thinks, example }) => [
        ...wordsOf(envelopes.flatMap(({ opens }) => opens)),
        ...wordsOf(thinks.flatMap(({ open, close, label = "" }) => [open, close, label])),
        ...wordsOf([example, otherWords]),
      ])
      .filter((word) => !values.has(word) && /\p{L}/u.test(word)),
  );
  return known;
}

/** What has to be kept or masked, in the order in which it is tried: escapes of strings, keys of objects, and words. */
const pieces =
  /\\u[0-9a-fA-F]{4}|\\x[0-9a-fA-F]{2}|\\[bfnrt"'\\/]|(["'])(?<=[{,]\s*["'])[A-Za-z_][\w.-]{0,39}\1(?=\s*:)|[\p{L}\p{M}\p{N}_\p{Cs}\p{Co}\p{Emoji_Presentation}]+/gu;

/** A key that is a name: words, perhaps counted. Others may well be somebody's data. */
const nameKey = /^.[A-Za-z]{0,20}(?:[_.-]+[A-Za-z]{1,20}){0,5}[_.-]?\d{0,2}.$/;

const letter = "x";
const digit = "1";

/**
 * The structure of a reply without what it says: every letter of prose and values becomes `x` and every digit `1`, so that
 * the length, whitespace, punctuation, quotes and brackets stay. Kept are the words of the dialects, the names of the
 * declared tools and of their parameters, and keys of objects that look like names. A secret cannot outlive it, unless it is
 * one of those. Linear in the text's length.
 */
export function maskReply(text: string, tools: ToolSet): string {
  const kept = new Set([...formWords(), ...wordsOf(namesOf(tools))]);
  return text.replace(pieces, (piece) => {
    const first = piece[0];
    if (first === "\\") return maskEscape(piece);
    if (first === '"' || first === "'") return nameKey.test(piece) ? piece : maskWords(piece, kept);
    return kept.has(piece) ? piece : maskWord(piece);
  });
}

function maskWords(text: string, kept: ReadonlySet<string>): string {
  return text.replace(wordPattern, (word) => (kept.has(word) ? word : maskWord(word)));
}

/** An escape stays one; what it stands for goes. */
function maskEscape(written: string): string {
  if (written[1] === "u") return "\\u0078";
  return written[1] === "x" ? "\\x78" : written;
}

function maskWord(word: string): string {
  // The exponent of a number is part of its form.
  const exponent = /^\d+[eE]/.exec(word)?.[0].length;
  let masked = "";
  for (let at = 0; at < word.length; at++) {
    const char = word[at]!;
    const isForm = char === "_" || (exponent !== undefined && at === exponent - 1 && /^\d*$/.test(word.slice(at + 1)));
    masked += isForm ? char : char >= "0" && char <= "9" ? digit : letter;
  }
  return masked;
}

/** The names of tools and of everything that their schemas call `properties`. */
function namesOf(tools: ToolSet): string[] {
  const names: string[] = [];
  const visit = (schema: unknown, depth: number): void => {
    if (typeof schema !== "object" || schema === null || depth > 8) return;
    for (const [key, member] of Object.entries(schema)) {
      if (key === "properties" && typeof member === "object" && member !== null) names.push(...Object.keys(member));
      visit(member, depth + 1);
    }
  };
  for (const { name, parameters } of tools.values()) {
    names.push(name);
    visit(parameters satisfies JsonSchema | undefined, 0);
  }
  return names;
}
