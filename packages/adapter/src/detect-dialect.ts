import type { ToolCall } from "./call.ts";
import { createCallId } from "./call-id.ts";
import { type DialectName, dialectNames, dialects } from "./dialects.ts";
import { openingsOf } from "./openings.ts";
import { Parser } from "./parser.ts";
import type { DeclaredTool, ToolSet } from "./tools.ts";

/** What one dialect makes of a reply. */
export interface DialectReading {
  readonly dialect: DialectName;
  /** The reply begins inside a thought, so that the deployment needs `reasoning_first`. */
  readonly reasoningFirst: boolean;
  readonly calls: readonly ToolCall[];
  /** Calls that were begun, and are text in the end. */
  readonly failed: number;
  readonly content: string;
  readonly reasoning: string;
  /** Every call stood in an envelope that cannot be meant as text. */
  readonly strong: boolean;
  /** How much of what the dialect's own example is made of is in the text, from 0 to 1. */
  readonly likeness: number;
  /** The same, with the example's whitespace. */
  readonly closeLikeness: number;
}

export interface Detection {
  /** All readings with calls, the best first. Empty = no dialect finds a call. */
  readonly found: readonly DialectReading[];
  /** Where none is found: the dialect whose form comes nearest; undefined = none does. */
  readonly nearest: NearDialect | undefined;
  /** Some dialect found the beginning of a call, and no end. */
  readonly begun: boolean;
}

interface NearDialect {
  readonly dialect: DialectName;
  /** Parts of its form that are in the text, and those that are not. */
  readonly seen: readonly string[];
  readonly missing: readonly string[];
}

export interface DetectOptions {
  /** The request's tools; without them, names are taken from what the text itself calls. */
  readonly tools?: ToolSet | undefined;
  /** The engine's finish_reason; `stop` unless told. */
  readonly finish?: string;
}

/**
 * Finds out which dialect a reply is written in: every dialect reads it, and the one that leaves the least unread comes
 * first; of equals the one that is sure of it, and then the one whose own form it is. Linear in the text's length.
 */
export function detectDialect(
  text: string,
  { tools = toolsCalledIn(text), finish = "stop" }: DetectOptions = {},
): Detection {
  const packed = pack(text);
  const readings = dialectNames.flatMap((dialect) => {
    const starts = thinksFromTheStart(text, dialect) ? [true, false] : [false];
    const likeness = shareOf(parts.get(dialect)!, packed);
    const closeLikeness = shareOf(dialects[dialect].example.split(filling), text);
    return starts.map((reasoningFirst) => {
      return { ...read(text, dialect, reasoningFirst, tools, finish), likeness, closeLikeness };
    });
  });
  const found = readings.filter(({ calls }) => calls.length > 0).sort(better);
  return {
    found: found.filter((one, index) => found.findIndex(({ dialect }) => dialect === one.dialect) === index),
    nearest: found.length > 0 ? undefined : nearestTo(packed),
    begun: readings.some(({ failed }) => failed > 0),
  };
}

/** Do two readings hand out the same? */
export function sameReading(one: DialectReading, other: DialectReading): boolean {
  const text = ({ calls, content, reasoning }: DialectReading) =>
    JSON.stringify([calls.map(({ name, arguments: json }) => [name, json]), content, reasoning]);
  return text(one) === text(other);
}

function better(one: DialectReading, other: DialectReading): number {
  return (
    // `auto` reads everything, and says nothing about the form.
    Number(one.dialect === "auto") - Number(other.dialect === "auto") ||
    one.failed - other.failed ||
    one.content.length - other.content.length ||
    other.calls.length - one.calls.length ||
    repairsOf(one) - repairsOf(other) ||
    Number(other.strong) - Number(one.strong) ||
    other.likeness - one.likeness ||
    other.closeLikeness - one.closeLikeness
  );
}

/** Why the first of two readings stands in front of the other, as a word about the other. */
export function whyNot(best: DialectReading, other: DialectReading): string {
  const unread = other.content.length - best.content.length;
  if (other.dialect === "auto") return "knows every form, and says nothing about this one";
  if (other.failed > best.failed) return `begins ${countOf(other.failed, "call")} that it cannot make`;
  if (unread > 0) return `leaves ${countOf(unread, "character")} more in the content`;
  if (other.calls.length < best.calls.length) return `finds ${countOf(other.calls.length, "call")} only`;
  if (repairsOf(other) > repairsOf(best)) return "has to repair what is right elsewhere";
  if (best.strong && !other.strong)
    return "takes it for a form that may be text, in which only declared tools are called";
  const own = `${Math.round(other.likeness * 100)} % of its own form is here`;
  return sameReading(best, other) ? `makes the same of it; ${own}` : own;
}

function countOf(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

function repairsOf({ calls }: DialectReading): number {
  return calls.filter(({ outcome }) => outcome === "repaired").length;
}

function read(
  text: string,
  dialect: DialectName,
  reasoningFirst: boolean,
  tools: ToolSet,
  finish: string,
): Omit<DialectReading, "likeness" | "closeLikeness"> {
  let content = "";
  let reasoning = "";
  let failed = 0;
  let strong = true;
  const calls: ToolCall[] = [];
  const openings = openingsOf(dialects[dialect], true);
  const options = { openings, tools, reasoningFirst, leaks: false, dialect, createId: createCallId };
  const parser = new Parser(options, {
    content(piece) {
      content += piece;
    },
    reasoning(piece) {
      reasoning += piece;
    },
    call(call) {
      calls.push(call);
      strong &&= !parser.weak;
    },
    failed() {
      failed++;
    },
  });
  parser.push(text);
  parser.end(finish);
  return { dialect, reasoningFirst, calls, failed, content, reasoning, strong: strong && calls.length > 0 };
}

/** A closing tag without an opening one in front of it: the template opens the thought. */
function thinksFromTheStart(text: string, dialect: DialectName): boolean {
  return dialects[dialect].thinks.some(({ open, close }) => {
    const end = text.indexOf(close);
    return end >= 0 && !text.slice(0, end).includes(open);
  });
}

/** Without whitespace: models differ in it. */
function pack(text: string): string {
  return text.replace(/\s+/g, "");
}

/** What stands in every example, and belongs to no form. */
const filling = /get_weather|city|Lyon/;

const parts = new Map(dialectNames.map((name) => [name, partsOf(dialects[name].example)]));

/** What an example is made of: `<tool_call>`, `{"name":` and so on. */
function partsOf(example: string): readonly string[] {
  const pieces = example.split(/\s+|get_weather|"?(?:city|Lyon)"?|(?<=>)/);
  return [...new Set(pieces.filter((piece) => /[a-z]/i.test(piece) || piece.length > 2))];
}

function shareOf(own: readonly string[], text: string): number {
  return own.length === 0 ? 0 : own.filter((part) => text.includes(part)).length / own.length;
}

function nearestTo(packed: string): NearDialect | undefined {
  let best: NearDialect | undefined;
  let most = 0;
  for (const [dialect, own] of parts) {
    const likeness = shareOf(own, packed);
    if (likeness <= most) continue;
    most = likeness;
    best = {
      dialect,
      seen: own.filter((part) => packed.includes(part)),
      missing: own.filter((part) => !packed.includes(part)),
    };
  }
  return best;
}

/** Where the name of a tool stands, in all forms of calls. */
const namePlaces = [
  /["']?(?:name|tool_name|tool|function)["']?\s*(?::|=>?)\s*\\?["']?([\w.-]+)/g,
  /<(?:function|invoke|tool)[ =]"?([\w.-]+)/g,
  /<invoke>(?:\s|\\n)*<([\w.-]+)/g,
  /\b([A-Za-z_][\w.-]*)\s*\(/g,
  /\bcall:([\w.-]+)/g,
  /\bfunctions\.([\w.-]+)/g,
  /\bto=([\w.-]+)/g,
  /[>\]]\s*([A-Za-z_][\w.-]*)\s*(?=[<{[]|$)/gm,
  /^([A-Za-z_][\w.-]*)\s*\{/gm,
];

/** The names that a text seems to call, as tools without a schema. */
function toolsCalledIn(text: string): ToolSet {
  const tools = new Map<string, DeclaredTool>();
  for (const place of namePlaces) {
    for (const [, name = ""] of text.matchAll(place)) tools.set(name, { name, parameters: undefined });
  }
  return tools;
}
