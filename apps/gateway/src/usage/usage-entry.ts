import { isoTime } from "../signals/iso-time.ts";

/** Milliseconds of a day. */
export const DAY_MS = 86_400_000;

/** What one request used: a line of the ledger. Names and numbers; never a prompt, an answer or a key. */
export interface UsageEntry {
  /** When it ended, in milliseconds since 1970. */
  readonly time: number;
  /** The request's id, as in the log. */
  readonly id: string;
  readonly team: string;
  /** The id of the key; empty in an open gateway. */
  readonly key: string;
  /** The model that answered, or that was asked for where none did. */
  readonly model: string;
  /** The one that answered, or the last that was tried; empty where that is not known. */
  readonly backend: string;
  readonly endpoint: string;
  readonly outcome: string;
  /** Tokens of the prompt. */
  readonly input: number;
  /** Tokens of the reply. */
  readonly output: number;
  /** Of `input`, those that the engine had from its cache, where it says so. */
  readonly cached: number;
  /** Of `output`, those of the reasoning, where the engine says so. */
  readonly reasoning: number;
  /** In billionths of the currency. */
  readonly cost: number;
  readonly gpuMs: number;
}

const texts = ["id", "team", "key", "model", "backend", "endpoint", "outcome"] as const;
/** The numbers of an entry, and their names where they are written. */
const numbers = {
  input: "input_tokens",
  output: "output_tokens",
  cached: "cached_tokens",
  reasoning: "reasoning_tokens",
  cost: "cost_nano",
  gpuMs: "gpu_ms",
} as const;
const numberNames = Object.entries(numbers) as [keyof typeof numbers, string][];

/** An entry as a line of JSON, without its line break; what is 0 is left out, but for the tokens. */
export function usageLine(entry: UsageEntry): string {
  const { id, team, key, model, backend, endpoint, outcome, input, output } = entry;
  return JSON.stringify({
    time: isoTime(entry.time),
    id,
    team,
    key,
    model,
    backend,
    endpoint,
    outcome,
    input_tokens: input,
    output_tokens: output,
    cached_tokens: entry.cached || undefined,
    reasoning_tokens: entry.reasoning || undefined,
    cost_nano: entry.cost || undefined,
    gpu_ms: entry.gpuMs || undefined,
  });
}

/** Reads a line; undefined = it is torn, or none of ours. */
export function parseUsageLine(line: string): UsageEntry | undefined {
  try {
    const read = JSON.parse(line) as Record<string, unknown>;
    return entryOf(typeof read === "object" && read !== null ? read : {}, Date.parse(String(read?.time)));
  } catch {
    return undefined;
  }
}

/** The fields of an entry in a Redis stream, each with a line break: always the same, so that the stream keeps them once. */
export const usageNames: string = ["time", ...texts, ...Object.values(numbers)].map((name) => `${name}\n`).join("");

/** What the fields of `usageNames` hold, each with a line break. */
export function usageValues(entry: UsageEntry): string {
  let values = `${entry.time}\n`;
  // No name in a config and no id of a request has one; one that had would take the next field's place.
  for (const name of texts) values += `${entry[name].replaceAll("\n", " ")}\n`;
  for (const [name] of numberNames) values += `${entry[name]}\n`;
  return values;
}

/** Reads names and values, by turns, of a stream's entry; undefined = none of ours. */
export function parseUsageFields(fields: readonly string[]): UsageEntry | undefined {
  const read: Record<string, unknown> = {};
  for (let at = 0; at + 1 < fields.length; at += 2) read[fields[at]!] = fields[at + 1];
  return entryOf(read, Number(read.time));
}

function entryOf(read: Readonly<Record<string, unknown>>, time: number): UsageEntry | undefined {
  if (!Number.isFinite(time)) return undefined;
  for (const name of texts) if (typeof read[name] !== "string") return undefined;
  const { id, team, key, model, backend, endpoint, outcome } = read as Record<(typeof texts)[number], string>;
  const number = (name: keyof typeof numbers): number => Number(read[numbers[name]] ?? 0);
  const entry = {
    time,
    id,
    team,
    key,
    model,
    backend,
    endpoint,
    outcome,
    input: number("input"),
    output: number("output"),
    cached: number("cached"),
    reasoning: number("reasoning"),
    cost: number("cost"),
    gpuMs: number("gpuMs"),
  };
  return numberNames.every(([name]) => Number.isSafeInteger(entry[name])) ? entry : undefined;
}

/** The day of a moment in UTC, `2026-11-21`: what parts of the ledger are named by. */
export function dayOf(ms: number): string {
  if (ms < known.from || ms >= known.from + DAY_MS) {
    const from = Math.floor(ms / DAY_MS) * DAY_MS;
    known = { from, text: new Date(from).toISOString().slice(0, 10) };
  }
  return known.text;
}

/** Of the day that was asked for last: entries come day by day. */
let known = { from: Number.POSITIVE_INFINITY, text: "" };
