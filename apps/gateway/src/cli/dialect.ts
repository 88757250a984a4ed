import { readFile } from "node:fs/promises";
import { text as readAll } from "node:stream/consumers";
import { parseArgs } from "node:util";
import {
  type Detection,
  type DialectReading,
  detectDialect,
  dialects,
  readTools,
  type ToolSet,
  whyNot,
} from "@signalbox/adapter";
import { type Command, type Flags, UsageError } from "./command.ts";
import { jsonFlag } from "./common-flags.ts";
import { type PastedReply, readPastedReply } from "./pasted-reply.ts";

/** As many others are named behind the dialect that fits best. */
const MAX_OTHERS = 5;

const flags = {
  tools: {
    type: "string",
    value: "FILE",
    meaning: "An OpenAI `tools` array, or a request that has one, as JSON: only declared tools are called.",
  },
  ...jsonFlag,
} as const satisfies Flags;

/** `signalbox dialect`: which dialect a pasted reply is written in. */
export const dialect: Command = {
  summary: "say which dialect a pasted reply is written in: a text, a chat completion, or a dump of its stream",
  usage: "dialect detect FILE [--tools FILE] [--json]   (- reads standard input)",
  flags,
  exits: { 0: "a dialect finds a call in it", 1: "none does" },
  async run([action, ...rest]) {
    if (action !== "detect") throw new UsageError("dialect knows one action: detect");
    const { values, positionals } = parseArgs({
      args: rest,
      allowPositionals: true,
      options: flags,
    });
    const [file, ...more] = positionals;
    if (file === undefined || more.length > 0)
      throw new UsageError("dialect detect takes one file, or - for standard input");
    const reply = readPastedReply(file === "-" ? await readAll(process.stdin) : await readText(file));
    const tools = values.tools === undefined ? undefined : await readToolsFile(values.tools);
    const detection = detectDialect(reply.text, { tools, finish: reply.finish });
    if (values.json) console.log(JSON.stringify(report(detection, reply), null, 2));
    else console.log(formatDetection(detection, reply, tools !== undefined));
    return detection.found.length > 0 ? 0 : 1;
  },
};

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new UsageError(`${path}: ${code === "ENOENT" ? "there is no such file" : message}`);
  }
}

/** The tools of a file: an OpenAI `tools` array, or a request that has one. */
async function readToolsFile(path: string): Promise<ToolSet> {
  let json: unknown;
  try {
    json = JSON.parse(await readText(path));
  } catch (error) {
    if (error instanceof SyntaxError) throw new UsageError(`${path}: is not JSON`);
    throw error;
  }
  const tools = readTools(Array.isArray(json) ? json : (json as { tools?: unknown } | null)?.tools);
  if (tools.size === 0) throw new UsageError(`${path}: holds no tools; expected an OpenAI tools array`);
  return tools;
}

/** What `--json` prints. */
function report({ found, nearest, begun }: Detection, { form, finish, engineCalls, engineReasoning }: PastedReply) {
  const [best, ...others] = found;
  return {
    dialect: best?.dialect ?? null,
    reasoning_first: best?.reasoningFirst ?? false,
    calls: (best?.calls ?? []).map(({ name, arguments: json, outcome }) => ({ name, arguments: json, outcome })),
    reasoning_length: best?.reasoning.length ?? 0,
    content_length: best?.content.length ?? 0,
    others: others.map((other) => ({
      dialect: other.dialect,
      calls: other.calls.length,
      why_not: whyNot(best!, other),
    })),
    nearest: nearest ?? null,
    begun,
    input: { form, finish_reason: finish, engine_calls: engineCalls, engine_reasoning_length: engineReasoning },
  };
}

/** What `signalbox dialect detect` prints for people. */
function formatDetection(detection: Detection, reply: PastedReply, isDeclared: boolean): string {
  const [best, ...others] = detection.found;
  const lines = best === undefined ? nothingFound(detection) : [...reading(best), ...runnersUp(best, others)];
  if (best !== undefined && !best.strong && !isDeclared)
    lines.push("  this form may be plain text: with --tools FILE only declared tools are called");
  return [...lines, ...byTheEngine(reply)].join("\n");
}

function reading({ dialect: name, reasoningFirst, calls, reasoning, content }: DialectReading): string[] {
  return [
    `${name}: ${dialects[name].title} (${dialects[name].models.join(", ")})`,
    `  config      { dialect: ${name}${reasoningFirst ? ", reasoning_first: true" : ""} }`,
    ...calls.map((call, index) => {
      const how = call.outcome === "clean" ? "" : `   (${call.outcome})`;
      return `  call ${String(index + 1).padEnd(6)} ${call.name} ${call.arguments}${how}`;
    }),
    `  reasoning   ${reasoning.length} characters`,
    `  content     ${content.length} characters`,
  ];
}

function runnersUp(best: DialectReading, others: readonly DialectReading[]): string[] {
  if (others.length === 0) return [];
  const shown = others.slice(0, MAX_OTHERS);
  const width = Math.max(...shown.map(({ dialect: name }) => name.length));
  const left = others.length - shown.length;
  return [
    "  why not",
    ...shown.map((other) => `    ${other.dialect.padEnd(width)}  ${whyNot(best, other)}`),
    ...(left > 0 ? [`    and ${left} more`] : []),
  ];
}

function nothingFound({ nearest, begun }: Detection): string[] {
  const lines = ["no dialect finds a call in this text"];
  if (begun)
    lines.push("  a call begins and does not come to a good end: cut off, or not written as any dialect has it");
  if (nearest === undefined) return [...lines, "  nothing in it looks like a call"];
  const { dialect: name, seen, missing } = nearest;
  lines.push(`  nearest     ${name}: ${dialects[name].title}`, `  seen        ${seen.join("   ")}`);
  return missing.length > 0 ? [...lines, `  missing     ${missing.join("   ")}`] : lines;
}

function byTheEngine({ engineCalls, engineReasoning }: PastedReply): string[] {
  const parsed = [
    ...(engineCalls > 0 ? [`tool calls (${engineCalls})`] : []),
    ...(engineReasoning > 0 ? [`reasoning (${engineReasoning} characters)`] : []),
  ];
  return parsed.length > 0 ? [`  the engine itself has parsed ${parsed.join(" and ")}, in any dialect`] : [];
}
