import { readdirSync } from "node:fs";
import path from "node:path";
import { type DialectName, dialectNames } from "@signalbox/adapter";
import { dialectOf, dialects, type Expectation, readVectorFile, type Vector } from "@signalbox/adapter/vectors";
import type { KindName } from "@signalbox/simulator";
import { startTestGateway, type TestGateway } from "./test-gateway.ts";

const folder = path.join(import.meta.dirname, "../../../../packages/adapter/vectors");

/** A reply as a model writes it, and what a client is to get. */
export interface DialectReply {
  /** `dialect: what it is`; also the question that gets it. */
  readonly name: string;
  /** The model to ask. */
  readonly model: string;
  readonly input: string;
  readonly expect: Expectation;
}

const files = readdirSync(folder).map((name) => readVectorFile(path.join(folder, name)));
/** The tools that the replies call. */
export const tools = readVectorFile(path.join(folder, "house.json")).tools;

/** The example of every dialect, and a thought in front of two calls for each that can. */
export const dialectReplies: readonly DialectReply[] = dialectNames.flatMap((dialect) => {
  const replies = [exampleOf(dialect), thoughtAndTwoCalls(dialect)];
  return replies.filter((reply) => reply !== undefined);
});

function exampleOf(dialect: DialectName): DialectReply | undefined {
  const input = dialects[dialect].example;
  if (input === "") return undefined;
  const tool_calls = [{ name: "get_weather", arguments: { city: "Lyon" } }];
  return {
    name: `${dialect}: its example`,
    model: `written-in/${dialect}`,
    input,
    expect: { content: null, reasoning: null, tool_calls, finish_reason: "tool_calls" },
  };
}

function thoughtAndTwoCalls(dialect: DialectName): DialectReply | undefined {
  const twice = (vector: Vector): boolean => vector.expect.tool_calls.length > 1 && dialectOf(vector) === dialect;
  const all = files.flatMap(({ vectors }) => vectors.filter(twice));
  const vector = all.find(({ expect }) => expect.reasoning !== null) ?? all[0];
  if (vector === undefined) return undefined;
  const { input, expect } = vector;
  const [tags] = dialects[dialect].thinks;
  if (tags === undefined || expect.reasoning !== null)
    return {
      name: `${dialect}: ${expect.reasoning === null ? "" : "a thought and "}two calls`,
      model: `written-in/${dialect}`,
      input,
      expect,
    };
  const reasoning = "Two at once: \u{1F682} < \u2028 >.";
  return {
    name: `${dialect}: a thought and two calls`,
    model: `written-in/${dialect}`,
    input: `${tags.open}${tags.label ?? ""}${reasoning}${tags.close}\n${input}`,
    expect: { ...expect, reasoning },
  };
}

/** A reply in pieces of five code units. */
const piecesOf = (input: string): string[] => input.match(/[\s\S]{1,5}/g) ?? [];

/** A gateway in front of an engine without parsers that says the replies, in small pieces. */
export function startDialectGateway(replies: readonly DialectReply[], kind: KindName): Promise<TestGateway<"raw">> {
  const script = replies.map(({ name, input }) => ({
    when: { contains: `«${name}»` },
    reply: { deltas: piecesOf(input), finish_reason: "stop" },
  }));
  const models = [...new Set(replies.map(({ model }) => model))];
  return startTestGateway({
    engines: { raw: { kind, models: ["m"], toolParser: false, script } },
    yaml: ({ raw }) => `
backends: { raw: { kind: ${kind}, url: "${raw}", tool_parser: raw } }
models:
${models.map((model) => `  ${model}: { on: [{ backend: raw, model: m, dialect: ${model.slice("written-in/".length)} }] }`).join("\n")}
`,
  });
}

/** The question that gets a reply. */
export const questionFor = ({ name }: DialectReply): string => `Say «${name}»`;
