import { readFeatures } from "@signalbox/router";
import { entriesOf, itemsOf, memberOf } from "./loose.ts";
import type { Path, Problem } from "./problems.ts";
import { parseRate } from "./units.ts";

/** Estimated tokens of the shortest prompt that a chat can have. */
const SMALLEST_PROMPT = readFeatures({
  endpoint: "chat_completions",
  team: "",
  model: "",
  body: { messages: [{ role: "user", content: "" }] },
  bytes: 0,
  header: () => undefined,
}).tokens;
const SMALLEST_REPLY = 1;

const smallest = {
  tokens: {
    amount: SMALLEST_PROMPT + SMALLEST_REPLY,
    of: `${SMALLEST_PROMPT} of its prompt, ${SMALLEST_REPLY} of its reply`,
  },
  input_tokens: { amount: SMALLEST_PROMPT, of: "all of its prompt" },
} as const;

/** Limits of tokens that no chat fits into. */
export function limitProblems(value: unknown): Problem[] {
  const models = entriesOf(memberOf(value, "models"));
  const chats = new Set(models.filter(([, model]) => !isForEmbeddingsAlone(model)).map(([name]) => name));
  const problems: Problem[] = [];
  for (const [name, model] of models) {
    if (chats.has(name)) check(memberOf(model, "limits"), ["models", name, "limits"], problems);
  }
  for (const [name, team] of entriesOf(memberOf(value, "teams"))) {
    const limits = memberOf(team, "limits");
    const path = ["teams", name, "limits"];
    if (chats.size > 0) {
      check(limits, path, problems);
      check(memberOf(limits, "per_key"), [...path, "per_key"], problems);
    }
    for (const [model, own] of entriesOf(memberOf(limits, "per_model"))) {
      if (chats.has(model)) check(own, [...path, "per_model", model], problems);
    }
  }
  return problems;
}

/** Declared for embeddings and nothing else. */
export function isForEmbeddingsAlone(model: unknown): boolean {
  const chats = ["tools", "images", "json_schema"].some((ability) => memberOf(model, ability) === true);
  return memberOf(model, "embeddings") === true && !chats;
}

function check(limits: unknown, path: Path, problems: Problem[]): void {
  for (const [meter, { amount, of }] of Object.entries(smallest)) {
    const written = memberOf(limits, meter);
    itemsOf(written).forEach((text, index) => {
      const rate = parseRate(String(text));
      if (rate === undefined || rate.limit === 0 || rate.limit >= amount) return;
      const message = `${rate.limit} tokens can never be enough: the shortest chat is estimated at ${amount} (${of})`;
      problems.push({ path: Array.isArray(written) ? [...path, meter, index] : [...path, meter], message });
    });
  }
}
