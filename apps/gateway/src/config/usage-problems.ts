import { entriesOf, itemsOf, memberOf } from "./loose.ts";
import type { Problem } from "./problems.ts";
import { type Period, parseBudget, parseDays, parsePrice } from "./units.ts";
import { budgetDecimals } from "./usage-schema.ts";

/** Budgets that could never bind, that say two things of one period, or that a restart would forget a part of. */
export function usageProblems(file: unknown): Problem[] {
  return [...folderProblems(file), ...budgetProblems(file)];
}

function folderProblems(file: unknown): Problem[] {
  const usage = memberOf(file, "usage");
  if (usage === undefined || usage === null) return [];
  if (memberOf(usage, "folder") !== undefined || !isMemory(file)) return [];
  const message = "with `store: memory` usage is kept in files alone: name a `folder` for them, or leave `usage` out";
  return [{ path: ["usage"], message, atKey: true }];
}

const isMemory = (file: unknown): boolean => (memberOf(file, "store") ?? "memory") === "memory";

interface Written {
  readonly team: string;
  readonly meter: keyof typeof budgetDecimals;
  readonly every: Period;
  readonly path: Problem["path"];
}

function budgetProblems(file: unknown): Problem[] {
  const written = entriesOf(memberOf(file, "teams")).flatMap(([team, entry]) => writtenBudgets(team, entry));
  const seen = new Set<string>();
  return written.flatMap((budget): Problem[] => {
    const { team, meter, every, path } = budget;
    const key = `${team}|${meter}|${every}`;
    if (seen.has(key)) return [{ path, message: `a budget of ${meter} for a ${every} stands here already` }];
    seen.add(key);
    const message = unbound(file, budget) ?? forgotten(file, budget);
    return message === undefined ? [] : [{ path, message }];
  });
}

function writtenBudgets(team: string, entry: unknown): Written[] {
  const meters = Object.entries(budgetDecimals) as [Written["meter"], number][];
  return meters.flatMap(([meter, decimals]) => {
    const value = memberOf(memberOf(entry, "budget"), meter);
    return itemsOf(value).flatMap((text, index): Written[] => {
      const every = typeof text === "string" ? parseBudget(text, decimals)?.every : undefined;
      const place = Array.isArray(value) ? [index] : [];
      return every === undefined ? [] : [{ team, meter, every, path: ["teams", team, "budget", meter, ...place] }];
    });
  });
}

/** Why nothing that the team can reach ever counts towards it. */
function unbound(file: unknown, { team, meter }: Written): string | undefined {
  if (meter === "tokens") return undefined;
  const models = reachable(file, memberOf(memberOf(memberOf(file, "teams"), team), "models"));
  if (meter === "cost") {
    if (models.some((model) => hasPrice(memberOf(model, "cost")))) return undefined;
    return "can never be used up: none of the models that the team can reach has a `cost` above 0; add one, or leave it out";
  }
  const backends = memberOf(file, "backends");
  const named = models.flatMap((model) => itemsOf(memberOf(model, "on")).map((on) => memberOf(on, "backend")));
  if (named.some((name) => memberOf(memberOf(backends, String(name)), "gpus") !== undefined)) return undefined;
  return "can never be used up: none of the backends that the team can reach says how many `gpus` it has; add them, or leave it out";
}

const hasPrice = (cost: unknown): boolean =>
  ["input", "output"].some((side) => {
    const price = parsePrice(String(memberOf(cost, side)));
    return price !== undefined && price.nano + price.rest > 0;
  });

/** The models that a team can come to: those that it may name and their fallbacks; all of them, where it may name `auto`. */
function reachable(file: unknown, allowed: unknown): unknown[] {
  const models = new Map(entriesOf(memberOf(file, "models")));
  const names = itemsOf(allowed).map(String);
  if (allowed === undefined || names.includes("auto")) return [...models.values()];
  const aliases = new Map(
    [...models].flatMap(([name, model]) => itemsOf(memberOf(model, "aliases")).map((alias) => [String(alias), name])),
  );
  const reached = new Set(names.map((name) => aliases.get(name) ?? name));
  // A set hands out what is added while it is walked over.
  for (const name of reached) {
    for (const next of itemsOf(memberOf(models.get(name), "fallback"))) {
      reached.add(aliases.get(String(next)) ?? String(next));
    }
  }
  return [...reached].map((name) => models.get(name));
}

const longest: Record<Period, number> = { day: 1, week: 7, month: 31 };

/** A restart counts a period again from the usage files: they must reach back to its beginning. */
function forgotten(file: unknown, { every }: Written): string | undefined {
  const keep = memberOf(memberOf(file, "usage"), "keep");
  const days = typeof keep === "string" ? parseDays(keep) : undefined;
  if (days === undefined || days >= longest[every] || !isMemory(file)) return undefined;
  return `a restart counts a ${every} from the usage files, and \`usage.keep\` is ${days}d: keep at least ${longest[every]}d`;
}
