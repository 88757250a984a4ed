import { isDeepStrictEqual } from "node:util";
import type { ToolSet } from "../tools.ts";
import type { Split } from "./splits.ts";
import type { Expectation, Vector } from "./vector.ts";

/** What came out of one reply. */
export interface Outcome {
  /** "" or null = there is none. */
  readonly content: string | null;
  readonly reasoning: string | null;
  readonly calls: readonly { readonly id: string; readonly name: string; readonly arguments: string }[];
  readonly finish: string;
}

/** Gives the pieces of a reply to what is under test. One piece = the reply is not streamed, where that makes a difference. */
export type Play = (vector: Vector, tools: ToolSet, pieces: readonly string[]) => Outcome | Promise<Outcome>;

/** Plays a vector in each of the given splits. Answers the first that came out wrong, and what came; undefined = none did. */
export async function checkVector(
  vector: Vector,
  tools: ToolSet,
  splits: Iterable<Split>,
  play: Play,
): Promise<{ readonly split: string; readonly got: string } | undefined> {
  let whole: string | undefined;
  for (const { name, pieces } of splits) {
    const outcome = await play(vector, tools, pieces);
    const wrong = mismatch(vector.expect, outcome);
    if (wrong !== undefined) return { split: name, got: wrong };
    // Arguments are compared as values with what is expected, but as texts with each other.
    const texts = JSON.stringify(outcome.calls.map((call) => call.arguments));
    whole ??= texts;
    if (texts !== whole) return { split: name, got: `other argument texts than whole: ${texts}, ${whole}` };
  }
  return undefined;
}

/** What came, as text, when it is not as expected; undefined = it is. No content and empty content are the same. */
export function mismatch(expect: Expectation, outcome: Outcome): string | undefined {
  const got = {
    content: outcome.content || null,
    reasoning: outcome.reasoning || null,
    tool_calls: outcome.calls.map(({ id, name, arguments: json }, index) => ({
      name,
      arguments: parse(json),
      ...(expect.tool_calls[index]?.id === undefined ? {} : { id }),
    })),
    finish_reason: outcome.finish,
  };
  const wanted = {
    content: expect.content || null,
    reasoning: expect.reasoning || null,
    tool_calls: expect.tool_calls.map(({ name, arguments: value, id }) => ({
      name,
      arguments: value,
      ...(id === undefined ? {} : { id }),
    })),
    finish_reason: expect.finish_reason,
  };
  return isDeepStrictEqual(got, wanted) ? undefined : JSON.stringify(got);
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return `not JSON: ${json}`;
  }
}
