import type { Checks } from "./checks.ts";
import type { Answer, Reading } from "./wire-client.ts";

/**
 * An answer that does not lie: it is whole only if it has all that one engine would say, and else has a part of that in order; its
 * events have one id; at most one of them is an error, the last. `texts`: what engines would say.
 */
export function checkTruth(checks: Checks, answer: Answer & Reading, texts: readonly string[]): void {
  const { content, finishes, done, chunks } = answer;
  const told = finishes.length > 0 || done;
  if (told) checks.that("client", `«${content}» is reported as whole`, texts.includes(content));
  else
    checks.that(
      "client",
      `«${content}» is no part of an answer`,
      texts.some((text) => text.startsWith(content)),
    );
  checks.within("client", "the number of [DONE]", answer.text.split("data: [DONE]").length - 1, 0, 1);
  const ids = new Set(chunks.filter(({ error }) => error === undefined).map(({ id }) => id));
  if (ids.size > 0) checks.is("client", "the number of ids in one answer", ids.size, 1);
  const errors = chunks.filter(({ error }) => error !== undefined);
  if (errors.length === 0) return;
  checks.is("client", "the number of errors in one answer", errors.length, 1);
  checks.that("client", "an event follows the error", chunks.at(-1) === errors[0] && !done);
}
