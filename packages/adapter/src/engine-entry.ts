/** What one entry of an engine's `tool_calls` says. */
export interface EngineEntry {
  readonly index: number | undefined;
  readonly id: string | undefined;
  readonly name: string | undefined;
  /** The arguments as text, or a piece of it; empty when there are none. */
  readonly text: string;
}

type Fields = Readonly<Record<string, unknown>>;

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function nonEmpty(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

function textOf(value: unknown): string {
  if (typeof value === "string") return value;
  if (value === undefined || value === null) return "";
  try {
    return JSON.stringify(value) ?? "";
  } catch {
    // Nested too deep for the stack. This is no JSON, so it fails as a call instead of becoming an empty one.
    return String(Object.prototype.toString.call(value));
  }
}

/** Reads an entry of `tool_calls`: OpenAI's shape, or one with `name` and `arguments` beside `id`. Undefined for what is no object. */
export function readEngineEntry(entry: unknown): EngineEntry | undefined {
  if (!isFields(entry)) return undefined;
  const { index, id } = entry;
  const call = isFields(entry.function) ? entry.function : entry;
  return {
    index: typeof index === "number" ? index : undefined,
    id: typeof id === "number" ? String(id) : nonEmpty(id),
    name: nonEmpty(call.name),
    text: textOf(call.arguments),
  };
}
