import { isDeepStrictEqual } from "node:util";
import { readTools, type ToolSet } from "../tools.ts";

/** One case: a reply as a model wrote it, and what must come of it. */
export interface Vector {
  readonly id: string;
  readonly dialect: string;
  readonly reasoning_first: boolean;
  readonly input: string;
  readonly upstream_finish: string;
  /** The request declares no tools. */
  readonly no_tools?: boolean;
  readonly expect: Expectation;
  readonly note?: string;
}

export interface Expectation {
  readonly content: string | null;
  readonly reasoning: string | null;
  readonly tool_calls: readonly {
    readonly name: string;
    readonly arguments: Readonly<Record<string, unknown>>;
    /** Compared only where it is given. */
    readonly id?: string;
  }[];
  readonly finish_reason: string;
}

/** A file of vectors, with its tools as an OpenAI `tools` array. */
export interface VectorFile {
  readonly tools: readonly object[];
  readonly toolSet: ToolSet;
  readonly vectors: readonly Vector[];
}

/** What came out of one reply. */
export interface Outcome {
  readonly content: string;
  readonly reasoning: string;
  readonly calls: readonly { readonly id: string; readonly name: string; readonly arguments: string }[];
  readonly finish: string;
}

/** Reads a file of vectors. Its tools are an OpenAI array, or short: `get_weather{city:string,days:integer} noargs{}`. */
export function readVectors(text: string): VectorFile {
  const file = JSON.parse(text) as { tools: string | object[]; vectors: Vector[] };
  const tools = typeof file.tools === "string" ? expandTools(file.tools) : file.tools;
  return { tools, toolSet: readTools(tools), vectors: file.vectors };
}

function expandTools(short: string): object[] {
  return [...short.matchAll(/([\w.-]+)\{([^}]*)\}/g)].map(([, name, members = ""]) => {
    const properties = Object.fromEntries(
      [...members.matchAll(/([\w-]+):(anyOf\[[^\]]*\]|[^,]+)/g)].map(([, key, type]) => [key, expandType(type!)]),
    );
    return { type: "function", function: { name, parameters: { type: "object", properties } } };
  });
}

function expandType(type: string): object {
  const any = /^anyOf\[(.*)\]$/.exec(type)?.[1];
  if (any !== undefined) return { anyOf: any.split(",").map(expandType) };
  if (type.includes("|")) return { type: type.split("|") };
  return type.endsWith("[]") ? { type: "array", items: { type: type.slice(0, -2) } } : { type };
}

/** What is wrong with an outcome; undefined = it is as expected. */
export function mismatch(expect: Expectation, outcome: Outcome): string | undefined {
  const { calls, content, reasoning, finish } = outcome;
  const empty = calls.length > 0 || reasoning !== "" ? null : "";
  const got = {
    content: content === "" ? empty : content,
    reasoning: reasoning === "" ? null : reasoning,
    tool_calls: calls.map(({ id, name, arguments: json }, index) => ({
      name,
      arguments: parse(json),
      ...(expect.tool_calls[index]?.id === undefined ? {} : { id }),
    })),
    finish_reason: finish,
  };
  return isDeepStrictEqual(got, withoutOrder(expect)) ? undefined : JSON.stringify(got);
}

function withoutOrder({ content, reasoning, tool_calls, finish_reason }: Expectation): object {
  return { content, reasoning, tool_calls: tool_calls.map((call) => ({ ...call })), finish_reason };
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return `not JSON: ${json}`;
  }
}

/** Ways to cut a text: whole, in two at every place, one code unit at a time, and 20 times at random. */
export function* splits(text: string, seed: number): Generator<{ readonly name: string; readonly pieces: readonly string[] }> {
  yield { name: "whole", pieces: [text] };
  for (let at = 1; at < text.length; at++) yield { name: `at ${at}`, pieces: [text.slice(0, at), text.slice(at)] };
  yield { name: "one by one", pieces: text.split("") };
  const random = seeded(seed);
  for (let round = 0; round < 20; round++) {
    const pieces: string[] = [];
    for (let at = 0; at < text.length; ) {
      const next = at + 1 + Math.floor(random() * 12);
      pieces.push(text.slice(at, next));
      at = next;
    }
    yield { name: `random ${round}`, pieces };
  }
}

/** Numbers in [0, 1) that a seed determines (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
