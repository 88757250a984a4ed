import { entriesOf, itemsOf, memberOf } from "./loose.ts";
import type { Path, Problem } from "./problems.ts";

/** Guards that want to ask a larger model where there is none. */
export function guardProblems(file: unknown): Problem[] {
  const models = entriesOf(memberOf(file, "models"));
  const hasFallback = (model: unknown) => itemsOf(memberOf(model, "fallback")).length > 0;
  const ofModels = models.flatMap(([name, model]) =>
    hasFallback(model)
      ? []
      : escalations(memberOf(model, "guard"), ["models", name, "guard"]).map((path): Problem => {
          const message = `«${name}» has no larger model to ask: name one in its \`fallback\`, or use reject`;
          return { path, message };
        }),
  );
  if (models.some(([, model]) => hasFallback(model))) return ofModels;
  const ofTeams = entriesOf(memberOf(file, "teams")).flatMap(([name, team]) =>
    escalations(memberOf(team, "guard"), ["teams", name, "guard"]).map((path): Problem => {
      return { path, message: "no model has a larger one to ask: name one in a model's `fallback`, or use reject" };
    }),
  );
  return [...ofModels, ...ofTeams];
}

/** Where a guard says `escalate`. */
function escalations(guard: unknown, path: Path): Path[] {
  const own = ["schema", "undeclared"].filter((key) => memberOf(guard, key) === "escalate");
  const rules = itemsOf(memberOf(guard, "deny")).flatMap((rule, index): Path[] =>
    memberOf(rule, "action") === "escalate" ? [[...path, "deny", index, "action"]] : [],
  );
  return [...own.map((key) => [...path, key]), ...rules];
}
