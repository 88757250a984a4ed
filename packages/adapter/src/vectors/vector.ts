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
    readonly arguments: unknown;
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

/**
 * Reads a file of vectors. Its tools are an OpenAI array, or short: `get_weather{city:string,days:integer} noargs{}`.
 * Fields that are not known are ignored. @throws Error that says what is missing.
 */
export function readVectors(text: string): VectorFile {
  const file = JSON.parse(text) as { tools?: unknown; vectors?: unknown } | null;
  const tools = typeof file?.tools === "string" ? expandTools(file.tools) : (file?.tools ?? []);
  if (!Array.isArray(tools)) throw new Error("tools: neither a string nor an array");
  if (!Array.isArray(file?.vectors)) throw new Error("vectors: not an array");
  return { tools: tools as object[], toolSet: readTools(tools), vectors: (file.vectors as unknown[]).map(readVector) };
}

function readVector(value: unknown, index: number): Vector {
  const vector = value as Partial<Vector> | null;
  const place = `vector ${vector?.id ?? index + 1}`;
  if (typeof vector?.input !== "string") throw new Error(`${place}: input is not a string`);
  const { expect } = vector;
  if (typeof expect !== "object" || expect === null) throw new Error(`${place}: expect is not an object`);
  return {
    id: String(index + 1),
    dialect: "auto",
    reasoning_first: false,
    upstream_finish: "stop",
    ...vector,
    input: vector.input,
    expect: {
      content: expect.content ?? null,
      reasoning: expect.reasoning ?? null,
      tool_calls: expect.tool_calls ?? [],
      finish_reason: expect.finish_reason,
    },
  };
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
