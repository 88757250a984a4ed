import { strategyNames } from "@signalbox/router";
import { entriesOf, itemsOf, memberOf } from "./loose.ts";
import type { Path, Problem } from "./problems.ts";
import { didYouMean } from "./suggest.ts";

/** The names that a file defines. */
interface Names {
  readonly backends: ReadonlySet<string>;
  readonly models: ReadonlySet<string>;
  /** Alias -> model. */
  readonly aliases: ReadonlyMap<string, string>;
  /** Undefined in an open file. */
  readonly teams: ReadonlySet<string> | undefined;
  readonly hasRouting: boolean;
}

/** Names that are used and not defined, defined twice, or chained in a circle. Looks into files that are wrong elsewhere, too. */
export function referenceProblems(file: unknown): Problem[] {
  const problems: Problem[] = [];
  const names = collectNames(file, problems);
  checkModels(file, names, problems);
  checkRouting(file, names, problems);
  checkBaseline(file, names, problems);
  checkTeams(file, names, problems);
  checkTests(file, names, problems);
  return problems;
}

function collectNames(file: unknown, problems: Problem[]): Names {
  const models = new Set(entriesOf(memberOf(file, "models")).map(([name]) => name));
  const aliases = new Map<string, string>();
  if (models.has("auto")) {
    problems.push({
      path: ["models", "auto"],
      message: "the name «auto» is reserved: `routing` says what it means",
      atKey: true,
    });
  }
  for (const [name, model] of entriesOf(memberOf(file, "models"))) {
    itemsOf(memberOf(model, "aliases")).forEach((alias, index) => {
      if (typeof alias !== "string") return;
      const taken = alias === "auto" ? "reserved" : models.has(alias) ? "a model's name" : aliases.get(alias);
      const whose = aliases.has(alias) && !models.has(alias) ? `already an alias of «${taken}»` : taken;
      if (taken === undefined) aliases.set(alias, name);
      else problems.push({ path: ["models", name, "aliases", index], message: `the alias «${alias}» is ${whose}` });
    });
  }
  const teams = memberOf(file, "teams");
  return {
    backends: new Set(entriesOf(memberOf(file, "backends")).map(([name]) => name)),
    models,
    aliases,
    teams: teams === undefined ? undefined : new Set(entriesOf(teams).map(([name]) => name)),
    hasRouting: itemsOf(memberOf(file, "routing")).length > 0,
  };
}

function checkModels(file: unknown, names: Names, problems: Problem[]): void {
  for (const [name, model] of entriesOf(memberOf(file, "models"))) {
    const seen = new Map<string, number>();
    itemsOf(memberOf(model, "on")).forEach((entry, index) => {
      const path = ["models", name, "on", index];
      const backend = memberOf(entry, "backend");
      if (typeof backend !== "string") return;
      if (!names.backends.has(backend))
        problems.push(unknown("backend", backend, [...path, "backend"], names.backends));
      const id = `${backend}/${String(memberOf(entry, "model") ?? name)}`;
      const first = seen.get(id);
      if (first !== undefined) problems.push({ path, message: `«${id}» stands in on[${first}] already` });
      else seen.set(id, index);
    });
    checkWeights(name, model, problems);
    itemsOf(memberOf(model, "fallback")).forEach((other, index) => {
      checkModelName(other, ["models", name, "fallback", index], names, problems);
    });
  }
  for (const [name, model] of entriesOf(memberOf(file, "models"))) {
    const path = ["models", name, "when_saturated", "use"];
    const use = memberOf(memberOf(model, "when_saturated"), "use");
    checkModelName(use, path, names, problems);
    if (typeof use === "string" && (names.aliases.get(use) ?? use) === name)
      problems.push({ path, message: `«${use}» is the model itself: name another one` });
  }
  problems.push(...fallbackCycles(file, names));
}

function checkWeights(name: string, model: unknown, problems: Problem[]): void {
  const strategy = memberOf(model, "strategy") ?? "least_busy";
  if (strategy === "weighted" || !(strategyNames as readonly unknown[]).includes(strategy)) return;
  itemsOf(memberOf(model, "on")).forEach((entry, index) => {
    if (memberOf(entry, "weight") === undefined) return;
    const message = `only \`strategy: weighted\` reads a weight, and «${name}» has ${String(strategy)}; did you mean \`strategy: weighted\`?`;
    problems.push({ path: ["models", name, "on", index, "weight"], message });
  });
}

function fallbackCycles(file: unknown, names: Names): Problem[] {
  const models = new Map(entriesOf(memberOf(file, "models")));
  const targets = (name: string) =>
    itemsOf(memberOf(models.get(name), "fallback")).map((to) =>
      typeof to === "string" ? (names.aliases.get(to) ?? to) : "",
    );
  const problems: Problem[] = [];
  const done = new Set<string>();
  // A loop of its own rather than recursion: the depth is the file's to choose.
  for (const start of models.keys()) {
    const stack: { name: string; next: number }[] = done.has(start) ? [] : [{ name: start, next: 0 }];
    while (stack.length > 0) {
      const top = stack.at(-1)!;
      const list = targets(top.name);
      if (top.next >= list.length) {
        done.add(stack.pop()!.name);
        continue;
      }
      const index = top.next++;
      const to = list[index]!;
      const from = stack.findIndex((step) => step.name === to);
      if (from >= 0) {
        const circle = [...stack.slice(from).map((step) => step.name), to].join(" -> ");
        problems.push({
          path: ["models", top.name, "fallback", index],
          message: `the fallbacks go in a circle: ${circle}`,
        });
      } else if (models.has(to) && !done.has(to)) stack.push({ name: to, next: 0 });
    }
  }
  return problems;
}

function checkRouting(file: unknown, names: Names, problems: Problem[]): void {
  const labels = new Map<string, number>();
  itemsOf(memberOf(file, "routing")).forEach((rule, index) => {
    checkModelName(memberOf(rule, "use"), ["routing", index, "use"], names, problems);
    checkCondition(memberOf(rule, "when"), ["routing", index, "when"], names, problems);
    const name = memberOf(rule, "name");
    if (typeof name !== "string") return;
    const first = labels.get(name);
    if (first === undefined) labels.set(name, index);
    else
      problems.push({ path: ["routing", index, "name"], message: `routing[${first}] has the name «${name}» already` });
  });
}

/** The model that costs are compared with has to cost something. */
function checkBaseline(file: unknown, names: Names, problems: Problem[]): void {
  const path = ["defaults", "baseline_model"];
  const value = memberOf(memberOf(file, "defaults"), "baseline_model");
  checkModelName(value, path, names, problems);
  if (typeof value !== "string") return;
  const model = memberOf(memberOf(file, "models"), names.aliases.get(value) ?? value);
  if (model !== undefined && memberOf(model, "cost") === undefined)
    problems.push({ path, message: `the model «${value}» has no \`cost\`: nothing can be compared with it` });
}

function checkCondition(condition: unknown, path: Path, names: Names, problems: Problem[]): void {
  const value = memberOf(condition, "team");
  itemsOf(value).forEach((team, index) => {
    const where = Array.isArray(value) ? [...path, "team", index] : [...path, "team"];
    if (typeof team === "string" && !matchesSome(team, names.teams ?? new Set(["default"])))
      problems.push(unknownTeam(team, where, names));
  });
  itemsOf(memberOf(condition, "any")).forEach((part, index) => {
    checkCondition(part, [...path, "any", index], names, problems);
  });
  const not = memberOf(condition, "not");
  if (not !== undefined) checkCondition(not, [...path, "not"], names, problems);
}

function matchesSome(pattern: string, names: ReadonlySet<string>): boolean {
  if (!pattern.endsWith("*") && !pattern.startsWith("*")) return names.has(pattern);
  const middle = pattern.replace(/^\*/, "").replace(/\*$/, "");
  return [...names].some((name) => {
    if (pattern.startsWith("*") && pattern.endsWith("*")) return name.includes(middle);
    return pattern.endsWith("*") ? name.startsWith(middle) : name.endsWith(middle);
  });
}

function checkTeams(file: unknown, names: Names, problems: Problem[]): void {
  for (const [name, team] of entriesOf(memberOf(file, "teams"))) {
    itemsOf(memberOf(team, "models")).forEach((model, index) => {
      const path = ["teams", name, "models", index];
      if (model !== "auto") checkModelName(model, path, names, problems);
      else if (!names.hasRouting)
        problems.push({ path, message: "there is no `routing`, which says what «auto» means" });
    });
    checkPerModel(
      memberOf(memberOf(team, "limits"), "per_model"),
      ["teams", name, "limits", "per_model"],
      names,
      problems,
    );
  }
}

/** A model under two of its names would have two limits, of which one would never count. */
function checkPerModel(perModel: unknown, path: Path, names: Names, problems: Problem[]): void {
  const firsts = new Map<string, string>();
  for (const [word] of entriesOf(perModel)) {
    const found: Problem[] = [];
    checkModelName(word, [...path, word], names, found);
    problems.push(...found.map((problem) => ({ ...problem, atKey: true })));
    const model = names.aliases.get(word) ?? word;
    const first = firsts.get(model);
    if (first === undefined) firsts.set(model, word);
    else problems.push({ path: [...path, word], message: `«${first}» is the same model`, atKey: true });
  }
}

function checkTests(file: unknown, names: Names, problems: Problem[]): void {
  itemsOf(memberOf(file, "tests")).forEach((test, index) => {
    const request = memberOf(test, "request");
    const team = memberOf(request, "team");
    if (typeof team === "string" && !(names.teams ?? new Set(["default"])).has(team)) {
      problems.push(unknownTeam(team, ["tests", index, "request", "team"], names));
    }
    const model = memberOf(memberOf(test, "expect"), "model");
    if (model !== undefined) checkModelName(model, ["tests", index, "expect", "model"], names, problems);
    if (memberOf(request, "model") === undefined && !names.hasRouting) {
      const message = "there is no `routing`, which says what «auto» means: give a `model`";
      problems.push({ path: ["tests", index, "request"], message });
    }
  });
}

function checkModelName(value: unknown, path: Path, names: Names, problems: Problem[]): void {
  if (typeof value !== "string" || names.models.has(value) || names.aliases.has(value)) return;
  if (value === "auto") problems.push({ path, message: "«auto» cannot be used here: name a model" });
  else problems.push(unknown("model", value, path, [...names.models, ...names.aliases.keys()]));
}

function unknownTeam(team: string, path: Path, names: Names): Problem {
  if (names.teams !== undefined) return unknown("team", team, path, names.teams);
  return { path, message: `unknown team «${team}»: without \`teams\` everybody is the team «default»` };
}

function unknown(what: string, word: string, path: Path, allowed: Iterable<string>): Problem {
  const list = [...allowed];
  const near = didYouMean(word, list);
  const defined = list.length > 0 && list.length <= 12 ? ` (defined: ${list.join(", ")})` : "";
  return { path, message: `unknown ${what} «${word}»${near}${defined}` };
}
