import type { ToolCall } from "../call.ts";
import { createCallId } from "../call-id.ts";
import { type DialectName, dialects, findDialect } from "../dialects.ts";
import { trueFinish } from "../finish-reason.ts";
import { openingsOf } from "../openings.ts";
import { Parser, type Sink } from "../parser.ts";
import type { ToolSet } from "../tools.ts";
import type { Outcome } from "./check-vector.ts";
import type { Vector } from "./vector.ts";

/** A reply, without what is expected of it. */
export type Reply = Omit<Vector, "id" | "expect" | "note">;

/** The dialect of a vector; one that is not known is read as `auto`. */
export function dialectOf({ dialect }: Pick<Vector, "dialect">): DialectName {
  return findDialect(dialect) ?? "auto";
}

/** A parser as a reply needs it. */
export function parserOf(reply: Reply, tools: ToolSet, sink: Sink, createId: () => string = createCallId): Parser {
  const name = dialectOf(reply);
  const extract = reply.no_tools !== true && tools.size > 0;
  return new Parser(
    {
      openings: openingsOf(dialects[name], extract),
      tools: extract ? tools : new Map(),
      reasoningFirst: reply.reasoning_first,
      leaks: false,
      dialect: name,
      createId,
    },
    sink,
  );
}

/** Gives the pieces of a reply to a parser. */
export function playParser(reply: Reply, tools: ToolSet, pieces: readonly string[]): Outcome {
  let content = "";
  let reasoning = "";
  const calls: ToolCall[] = [];
  const parser = parserOf(reply, tools, {
    content: (text) => {
      content += text;
    },
    reasoning: (text) => {
      reasoning += text;
    },
    call: (call) => calls.push(call),
    failed() {},
  });
  for (const piece of pieces) parser.push(piece);
  parser.end(reply.upstream_finish);
  return { content, reasoning, calls, finish: trueFinish(reply.upstream_finish, calls.length > 0) };
}
