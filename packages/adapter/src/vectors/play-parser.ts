import { createCallId } from "../call-id.ts";
import { type DialectName, dialects, findDialect } from "../dialects.ts";
import { trueFinish } from "../finish-reason.ts";
import { openingsOf } from "../openings.ts";
import { Parser } from "../parser.ts";
import type { ToolSet } from "../tools.ts";
import type { Outcome, Vector } from "./vector.ts";

/** The dialect of a vector; one that is not known is read as `auto`. */
export function dialectOf(vector: Pick<Vector, "dialect">): DialectName {
  return findDialect(vector.dialect) ?? "auto";
}

/** Gives the pieces of a reply to a parser. */
export function playParser(vector: Vector, tools: ToolSet, pieces: readonly string[]): Outcome {
  const outcome = { content: "", reasoning: "", calls: [] as Outcome["calls"][number][], finish: "" };
  const name = dialectOf(vector);
  const extract = vector.no_tools !== true && tools.size > 0;
  const parser = new Parser(
    {
      openings: openingsOf(dialects[name], extract),
      tools: extract ? tools : new Map(),
      reasoningFirst: vector.reasoning_first,
      leaks: false,
      dialect: name,
      createId: createCallId,
    },
    {
      content: (text) => {
        outcome.content += text;
      },
      reasoning: (text) => {
        outcome.reasoning += text;
      },
      call: (call) => outcome.calls.push(call),
      failed() {},
    },
  );
  for (const piece of pieces) parser.push(piece);
  parser.end(vector.upstream_finish);
  outcome.finish = trueFinish(vector.upstream_finish, outcome.calls.length > 0);
  return outcome;
}
