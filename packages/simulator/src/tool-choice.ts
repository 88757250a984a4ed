import { sampleJson } from "./json-sample.ts";
import { messagesOf } from "./request-view.ts";

interface Tool {
  readonly name: string;
  readonly description: string;
  readonly parameters: unknown;
}

/** A call without its id. */
export interface PlannedCall {
  readonly name: string;
  readonly arguments: string;
}

function toolsOf(body: Readonly<Record<string, unknown>>): Tool[] {
  if (!Array.isArray(body.tools)) return [];
  const tools: Tool[] = [];
  for (const entry of body.tools as unknown[]) {
    const made = (entry as { function?: { name?: unknown; description?: unknown; parameters?: unknown } } | null)
      ?.function;
    if (typeof made?.name !== "string") continue;
    const description = typeof made.description === "string" ? made.description : "";
    tools.push({ name: made.name, description, parameters: made.parameters });
  }
  return tools;
}

const COMMON = new Set([
  "the",
  "and",
  "for",
  "get",
  "set",
  "this",
  "that",
  "with",
  "from",
  "what",
  "you",
  "are",
  "has",
]);
const wordsOf = (text: string): string[] =>
  text
    .replace(/([a-z])([A-Z])/g, "$1 $2")
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((word) => word.length > 2 && !COMMON.has(word));

/** Words shared by the prompt and a tool; a word of its name counts three times. */
function likeness(tool: Tool, prompt: ReadonlySet<string>): number {
  const hits = (words: string[]): number => words.filter((word) => prompt.has(word)).length;
  return 3 * hits(wordsOf(tool.name)) + hits(wordsOf(tool.description));
}

/** Names in the prompt: words with a capital that do not begin it. */
function namesIn(prompt: string): string[] {
  const names = prompt.match(/(?<=[\s"'(])\p{Lu}[\p{L}-]+(?: \p{Lu}[\p{L}-]+)*/gu) ?? [];
  return [...new Set(names)];
}

function argumentsFor(tool: Tool, word: string): string {
  const value = sampleJson(tool.parameters ?? { type: "object", properties: {} }, () => word);
  const object = typeof value === "object" && value !== null && !Array.isArray(value) ? value : {};
  return JSON.stringify(object);
}

/**
 * The calls that a model would make: none unless the last message is the user's and a tool fits it (one shared word of
 * the name, or two of the description) or a tool is demanded. Two names joined by `and` give two calls.
 */
export function planCalls(body: Readonly<Record<string, unknown>>, enforced: boolean): PlannedCall[] {
  const tools = toolsOf(body);
  const last = messagesOf(body).at(-1);
  const choice = body.tool_choice;
  if (tools.length === 0 || last?.role !== "user" || choice === "none") return [];
  const prompt = new Set(wordsOf(last.text));
  const named = (choice as { function?: { name?: unknown } } | null | undefined)?.function?.name;
  const demanded = enforced && (choice === "required" || typeof named === "string");
  const offered = enforced && typeof named === "string" ? tools.filter((tool) => tool.name === named) : tools;
  const best = offered.toSorted((left, right) => likeness(right, prompt) - likeness(left, prompt))[0];
  if (best === undefined || (!demanded && likeness(best, prompt) < 2)) return [];
  const names = namesIn(last.text);
  const several = body.parallel_tool_calls !== false && / and /.test(last.text) && names.length > 1;
  const words = several ? names.slice(0, 4) : [names[0] ?? last.text.trim().slice(0, 60)];
  return words.map((word) => ({ name: best.name, arguments: argumentsFor(best, word) }));
}
