import { z } from "zod";

const Call = z.strictObject({
  name: z.string().min(1),
  /** An object, or the exact argument text. */
  arguments: z.union([z.record(z.string(), z.unknown()), z.string()]).default({}),
});

/** One scripted answer: the first rule whose `when` holds gives the reply. */
export const ScriptRule = z.strictObject({
  when: z
    .strictObject({
      model: z.string().optional(),
      /** Text found anywhere in the prompt. */
      contains: z.string().optional(),
      stream: z.boolean().optional(),
      /** Number of assistant messages before this one: 0 in the first turn. */
      turn: z.number().int().min(0).optional(),
      endpoint: z.enum(["chat", "completions", "embeddings"]).optional(),
    })
    .default({}),
  reply: z.strictObject({
    text: z.string().optional(),
    reasoning: z.string().optional(),
    tool_calls: z.array(Call).optional(),
    /** Pieces of content, sent one event each exactly as written. */
    deltas: z.array(z.string()).optional(),
    finish_reason: z.string().optional(),
    /** The exact bytes of the answer, status line first. */
    raw: z.string().optional(),
    /** A file with them; a first line that begins with `$ curl` and a last one with `[time_total` are left out. */
    raw_file: z.string().optional(),
    status: z.number().int().min(100).max(599).optional(),
    /** Body of the answer: text as it is, anything else as JSON. */
    body: z.unknown().optional(),
    headers: z.record(z.string(), z.string()).optional(),
    delay_ms: z.number().min(0).optional(),
  }),
  /** The rule holds so many times, then no more. */
  times: z.number().int().min(1).optional(),
});
export type ScriptRule = z.infer<typeof ScriptRule>;
export type ScriptReply = ScriptRule["reply"];

/** Reads the text of a script file; throws an Error that names the file and each wrong place. */
export function parseScript(text: string, name: string): ScriptRule[] {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new Error(`${name}: not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  const list = Array.isArray(json) ? json : isObject(json) && Array.isArray(json.rules) ? json.rules : undefined;
  if (list === undefined) throw new Error(`${name}: expected a list of rules, or an object with a list "rules"`);
  const parsed = z.array(ScriptRule).safeParse(list);
  if (parsed.success) return parsed.data;
  const places = parsed.error.issues.map((issue) => `rule ${issue.path.join(".")}: ${issue.message}`);
  throw new Error(`${name}: ${places.join("; ")}`);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

/** What a rule may look at. */
export interface ScriptContext {
  readonly model: string;
  readonly prompt: string;
  readonly stream: boolean;
  readonly turn: number;
  readonly endpoint: string;
}

/** The rules with their counters. */
export function createScript(rules: readonly ScriptRule[]): (context: ScriptContext) => ScriptReply | undefined {
  const left = rules.map((rule) => rule.times ?? Number.POSITIVE_INFINITY);
  return (context) => {
    for (const [index, rule] of rules.entries()) {
      if ((left[index] ?? 0) <= 0 || !holds(rule.when, context)) continue;
      left[index] = (left[index] ?? 0) - 1;
      return rule.reply;
    }
    return undefined;
  };
}

function holds(when: ScriptRule["when"], context: ScriptContext): boolean {
  if (when.model !== undefined && when.model !== context.model) return false;
  if (when.stream !== undefined && when.stream !== context.stream) return false;
  if (when.turn !== undefined && when.turn !== context.turn) return false;
  if (when.endpoint !== undefined && when.endpoint !== context.endpoint) return false;
  return when.contains === undefined || context.prompt.includes(when.contains);
}
