import type { ToolCall } from "../call.ts";
import { isSpace } from "../cursor.ts";
import { dialects } from "../dialects.ts";
import { trueFinish } from "../finish-reason.ts";
import { LiteralSet, PARTIAL } from "../literals.ts";
import type { ToolSet } from "../tools.ts";
import { parserOf, type Reply } from "../vectors/play-parser.ts";
import { cutAtRandom, seeded } from "../vectors/splits.ts";

/** What breaks when a law does: the laws by the names under which the fuzzer counts them. */
export type Law = "crash" | "invariance" | "conservation" | "arguments" | "ids" | "time";

export interface Violation {
  readonly law: Law;
  readonly detail: string;
}

type Part = { readonly kind: "content" | "reasoning" | "consumed"; readonly text: string } | { readonly kind: "call" };

interface Played {
  readonly parts: Part[];
  readonly calls: ToolCall[];
  content: string;
  reasoning: string;
  failed: number;
}

function play(reply: Reply, tools: ToolSet, pieces: readonly string[]): Played {
  const played: Played = { parts: [], calls: [], content: "", reasoning: "", failed: 0 };
  let ids = 0;
  const parser = parserOf(
    reply,
    tools,
    {
      content(text) {
        played.content += text;
        played.parts.push({ kind: "content", text });
      },
      reasoning(text) {
        played.reasoning += text;
        played.parts.push({ kind: "reasoning", text });
      },
      call(call) {
        played.calls.push(call);
        played.parts.push({ kind: "call" });
      },
      failed() {
        played.failed++;
      },
      consumed(text) {
        if (text !== "") played.parts.push({ kind: "consumed", text });
      },
    },
    () => `call_${ids++}`,
  );
  for (const piece of pieces) parser.push(piece);
  parser.end(reply.upstream_finish);
  return played;
}

/** Plays a reply in several splits and holds what comes out to the laws. Undefined = it keeps them all. */
export function breach(reply: Reply, tools: ToolSet, seed: number): Violation | undefined {
  try {
    const { input } = reply;
    const whole = play(reply, tools, [input]);
    return (
      unequal(reply, tools, whole, seed) ??
      loss(reply, whole) ??
      badArguments(whole) ??
      badIds(whole, reply.upstream_finish)
    );
  } catch (error) {
    return crash(error);
  }
}

function crash(error: unknown): Violation {
  return { law: "crash", detail: error instanceof Error ? (error.stack ?? error.message) : String(error) };
}

function unequal(reply: Reply, tools: ToolSet, whole: Played, seed: number): Violation | undefined {
  const { input } = reply;
  const random = seeded(seed);
  const cut = Math.floor(random() * (input.length + 1));
  const splits = [
    input.split(""),
    cutAtRandom(input, random),
    cutAtRandom(input, random),
    [input.slice(0, cut), input.slice(cut)],
  ];
  const wanted = summary(whole);
  for (const pieces of splits) {
    const got = summary(play(reply, tools, pieces));
    if (got !== wanted) return { law: "invariance", detail: `whole ${wanted}\n  in ${pieces.length} pieces ${got}` };
  }
  return undefined;
}

function summary({ content, reasoning, calls, failed }: Played): string {
  return JSON.stringify({ content, reasoning, failed, calls: calls.map(({ dialect: _, ...call }) => call) });
}

/** Every part in turn must stand in the input where the one before it ended; only whitespace may be missing. */
function loss({ input, reasoning_first }: Reply, { parts, content, calls }: Played): Violation | undefined {
  const lost = (detail: string): Violation => ({ law: "conservation", detail });
  let at = 0;
  /** Whitespace that each kind may still hand out. */
  const spaces = { content: 0, reasoning: 0 };
  let gone = "";
  for (const [index, part] of parts.entries()) {
    if (part.kind === "call") continue;
    const { kind, text } = part;
    if (kind === "consumed" && !becomesCall(parts, index) && !isMarkup(text))
      return lost(`${JSON.stringify(text)} is gone, and no call came of it`);
    if (kind === "consumed") gone += text;
    if (kind === "consumed" && input.startsWith(text, at)) {
      at += text.length;
      continue;
    }
    for (; at < input.length && isSpace(input.charCodeAt(at)); at++) {
      spaces.content++;
      spaces.reasoning++;
    }
    const body = kind === "consumed" ? text : text.replace(/^[ \t\r\n]+/, "");
    if (input.startsWith(body, at)) at += body.length;
    else {
      // What stands beside the calls of an array comes behind the array, of which it was a part.
      const inside = kind === "content" ? gone.indexOf(body) : -1;
      if (inside < 0) return lost(`${kind} ${JSON.stringify(text)} is not at ${at}`);
      gone = gone.slice(inside + body.length);
    }
    if (kind === "consumed") continue;
    spaces[kind] -= text.length - body.length;
    if (spaces[kind] < 0) return lost(`whitespace was made up in front of ${at}`);
    if (body !== "") spaces[kind] = 0;
  }
  if (input.slice(at).trim() !== "") return lost(`${JSON.stringify(input.slice(at))} is gone`);
  if (!reasoning_first && calls.length === 0 && parts.every(({ kind }) => kind === "content") && content !== input)
    return lost(`content ${JSON.stringify(content)} is not the input`);
  return undefined;
}

function becomesCall(parts: readonly Part[], index: number): boolean {
  const next = parts.findIndex(({ kind }, place) => place > index && kind === "consumed");
  return parts.slice(index, next < 0 ? parts.length : next).some(({ kind }) => kind === "call");
}

const literals = LiteralSet.of(
  ...Object.values(dialects).flatMap(({ envelopes, thinks }) => [
    ...envelopes.flatMap(({ opens }) => opens.filter((open) => open.length > 1)),
    ...thinks.flatMap(({ open, close, label }) => [open, close, label ?? ""]),
  ]),
);
const tags = /<\|constrain\|>\s*\w+|<[^<>\n]{1,80}>|\[\/?[A-Z_]+\]/g;
const words =
  /\b(?:assistant|user|system|final|commentary|analysis|json|code|thought|all|function|call)\b|\bto=\S*|\bfunctions\.[\w.-]+|\\n|[`~]{3,}\w*|[[\]{},;]/g;

/** Tags and the words of headers, as far as can be told without a grammar. */
function isMarkup(text: string): boolean {
  let left = "";
  for (let at = 0; at < text.length; ) {
    const found = literals.match(text, at, true);
    const isLiteral = found !== undefined && found !== PARTIAL;
    left += isLiteral ? " " : text[at];
    at += isLiteral ? found.literal.length : 1;
  }
  return left.replace(tags, " ").replace(words, " ").trim() === "";
}

function badArguments({ calls }: Played): Violation | undefined {
  for (const { name, arguments: json } of calls) {
    const detail = `${name} ${json}`;
    try {
      const value: unknown = JSON.parse(json);
      if (typeof value === "object" && value !== null && !Array.isArray(value)) continue;
      return { law: "arguments", detail };
    } catch {
      return { law: "arguments", detail };
    }
  }
  return undefined;
}

function badIds({ calls }: Played, upstream: string): Violation | undefined {
  const ids = calls.map(({ id }) => id);
  if (new Set(ids).size < ids.length || ids.includes("")) return { law: "ids", detail: ids.join(", ") };
  if (calls.some(({ name }) => name === "")) return { law: "ids", detail: "a call has no name" };
  const finish = trueFinish(upstream, calls.length > 0);
  const isTrue =
    upstream === "length" || upstream === "content_filter" || (finish === "tool_calls") === calls.length > 0;
  return isTrue ? undefined : { law: "ids", detail: `${calls.length} calls, finish_reason ${finish}` };
}

/** Nanoseconds that a code unit may take, on average over a long text: some hundred times what prose takes. */
const MAX_NS = 1500;
const LONG = 60_000;
const DELTA = 64;

/** Repeats a part of the reply until it is long, and plays that in short deltas: is the time in proportion? */
export function slowness(reply: Reply, tools: ToolSet, seed: number): Violation | undefined {
  const random = seeded(seed);
  const from = Math.floor(random() * reply.input.length);
  const unit = reply.input.slice(from, from + 1 + Math.floor(random() * 40));
  if (unit === "") return undefined;
  const input = reply.input.slice(0, from) + unit.repeat(Math.ceil(LONG / unit.length));
  const pieces: string[] = [];
  for (let at = 0; at < input.length; at += DELTA) pieces.push(input.slice(at, at + DELTA));
  let best = Number.POSITIVE_INFINITY;
  // What is slow once may have waited for the machine.
  for (let round = 0; round < 3 && best > MAX_NS; round++) {
    const begun = performance.now();
    try {
      play({ ...reply, input }, tools, pieces);
    } catch (error) {
      return crash(error);
    }
    best = Math.min(best, ((performance.now() - begun) * 1e6) / input.length);
  }
  if (best <= MAX_NS) return undefined;
  const text = JSON.stringify(reply.input.slice(0, from));
  return {
    law: "time",
    detail: `${best.toFixed(0)} ns a code unit for ${text} and many times ${JSON.stringify(unit)}`,
  };
}
