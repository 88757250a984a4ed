import type { Story } from "../request-path/story.ts";
import { tokensOf } from "../request-path/story.ts";

// Terminals act on control characters; a client's text must not reach them.
// biome-ignore lint/suspicious/noControlCharactersInRegex: that is what is taken out
const control = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g;

function shown(text: string): string {
  return text.slice(0, 80).replace(control, "?");
}

function ms(value: number): string {
  return value < 1000 ? `${value.toFixed(value < 10 ? 1 : 0)} ms` : `${(value / 1000).toFixed(1)} s`;
}

/** One request as a person reads it: model asked, complexity, who answered, why, how fast. */
export function prettyLine(story: Story): string {
  const time = new Date().toISOString().slice(11, 19);
  const asked = shown(story.asked) || "?";
  const complexity = story.complexity === undefined ? "" : ` (${story.complexity})`;
  const tried = story.records
    .filter(({ outcome }) => outcome !== "ok")
    .map(({ backend, outcome, cause }) => `${backend}: ${cause ?? outcome}`)
    .join(", ");
  const before = tried === "" ? "" : ` · tried ${tried}`;
  const why = story.reason === "" ? "" : ` · ${story.reason}`;
  if (story.firstTokenAt === undefined) {
    return `${time} ✗ ${asked}${complexity} → ${story.status} ${story.code}${why}${before} · ${shown(story.fault ?? "")}`;
  }
  const { completionTokens } = tokensOf(story);
  const first = `first token ${ms(story.firstTokenAt - story.started)}`;
  const mark = story.outcome === "ok" ? "✓" : "✗";
  const end = story.outcome === "ok" ? "" : ` · ${story.code}`;
  return `${time} ${mark} ${asked}${complexity} → ${story.model} on ${story.backend}${why} · ${first} · ${completionTokens} tokens${before}${end}`;
}
