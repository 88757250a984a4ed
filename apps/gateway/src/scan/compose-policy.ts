import { guessSize, isEmbeddingModel, type SizeGuess } from "./model-size.ts";
import type { FoundEngine } from "./scan-engines.ts";

/** A policy made up from what was found, before it is written down. */
export interface PolicyDraft {
  readonly backends: readonly DraftBackend[];
  readonly models: readonly DraftModel[];
  readonly rules: readonly DraftRule[];
}

export interface DraftBackend {
  readonly name: string;
  readonly engine: FoundEngine;
}

export interface DraftModel {
  readonly name: string;
  /** Why it has this name and place. */
  readonly notes: readonly string[];
  readonly on: readonly { readonly backend: string; readonly model: string }[];
  readonly aliases: readonly string[];
  readonly context: number | undefined;
  readonly embeddings: boolean;
  readonly fallback: readonly string[];
}

interface DraftRule {
  readonly name: string;
  readonly when: string | undefined;
  readonly use: string;
}

/** Some engines list a catalog of hundreds. */
const MAX_MODELS = 64;

/** A model found on one or more engines. */
interface Served {
  readonly id: string;
  readonly on: { backend: string; model: string }[];
  readonly contexts: number[];
  readonly aliases: Set<string>;
  readonly size: SizeGuess;
}

/**
 * A policy for the engines that were found: a model for each model they serve, the largest as `large`, the smallest as
 * `small`, easy requests to the small one, and fallbacks so that any engine may die.
 */
export function composePolicy(engines: readonly FoundEngine[]): PolicyDraft {
  const backends = nameBackends(engines);
  const served = collectModels(backends);
  const talking = served.filter(({ id }) => !isEmbeddingModel(id)).sort((a, b) => b.size.billions - a.size.billions);
  const large = talking[0];
  const last = talking.at(-1);
  const small =
    last !== undefined && large !== undefined && last.size.billions < large.size.billions ? last : undefined;
  const names = nameModels(served, large, small);
  const middle = talking.filter((one) => one !== large && one !== small);
  const next = new Map<Served, string>();
  // From the large one downwards, each falls back to the next; the small one goes up first.
  const downwards = [large, ...middle].filter((one) => one !== undefined);
  downwards.forEach((one, index) => {
    const below = downwards[index + 1];
    if (below !== undefined) next.set(one, names.get(below)!);
    else if (small !== undefined) next.set(one, SPARE);
  });
  if (small !== undefined) next.set(small, names.get(large!)!);
  const taken = new Set([...names.values(), SPARE, "auto"]);
  const models = served.map((one) => {
    const named = { name: names.get(one)!, aliases: aliasesOf(one, taken), fallback: next.get(one) };
    return draftModel(one, named, { large, small });
  });
  if (small !== undefined) models.push(spareModel(small));
  return { backends, models, rules: draftRules(large && names.get(large), small && names.get(small)) };
}

const SPARE = "spare";

function nameBackends(engines: readonly FoundEngine[]): DraftBackend[] {
  const counts = new Map<string, number>();
  return engines.map((engine) => {
    const base = engine.kind.replaceAll("_", "-");
    const count = (counts.get(base) ?? 0) + 1;
    counts.set(base, count);
    return { name: count === 1 ? base : `${base}-${count}`, engine };
  });
}

function collectModels(backends: readonly DraftBackend[]): Served[] {
  const served = new Map<string, Served>();
  for (const { name: backend, engine } of backends) {
    for (const { id, context, aliases = [] } of engine.models) {
      if (!canBeNamed(id)) continue;
      let one = served.get(id);
      if (one === undefined) {
        if (served.size >= MAX_MODELS) break;
        one = { id, on: [], contexts: [], aliases: new Set(), size: guessSize(id) };
        served.set(id, one);
      }
      one.on.push({ backend, model: id });
      if (context !== undefined) one.contexts.push(context);
      for (const alias of aliases) if (canBeNamed(alias)) one.aliases.add(alias);
    }
  }
  return [...served.values()];
}

/** What a client can send and a config can hold; `${` would begin a variable there. */
function canBeNamed(id: string): boolean {
  return /^[\x21-\x7e]{1,128}$/.test(id) && !id.includes("${");
}

/** `large`, `small`, and for the others the last part of their id. Every name is used once. */
function nameModels(served: readonly Served[], large?: Served, small?: Served): Map<Served, string> {
  const names = new Map<Served, string>();
  const taken = new Set(["auto", "large", "small", SPARE]);
  const alone = served.filter(({ id }) => !isEmbeddingModel(id)).length === 1;
  for (const one of served) {
    if (!alone && one === large) names.set(one, "large");
    else if (one === small) names.set(one, "small");
    else {
      const short = one.id.split("/").at(-1)!.toLowerCase() || "model";
      let name = short;
      for (let number = 2; taken.has(name); number++) name = `${short.slice(0, 120)}-${number}`;
      taken.add(name);
      names.set(one, name);
    }
  }
  return names;
}

/** The names that clients know it by already: its id first. A name that means another model is left out. */
function aliasesOf(one: Served, taken: Set<string>): string[] {
  const aliases = [one.id, ...one.aliases].filter((alias) => !taken.has(alias));
  for (const alias of aliases) taken.add(alias);
  return [...new Set(aliases)];
}

function draftModel(
  one: Served,
  { name, aliases, fallback }: { name: string; aliases: readonly string[]; fallback: string | undefined },
  { large, small }: { large: Served | undefined; small: Served | undefined },
): DraftModel {
  const notes: string[] = [];
  if (one === large && name === "large") notes.push(`the largest of them, by a guess: ${one.size.from}`);
  if (one === small) notes.push(`the smallest of them, by a guess: ${one.size.from}`);
  const embeddings = isEmbeddingModel(one.id);
  if (embeddings) notes.push("its name says that it makes embeddings");
  return {
    name,
    notes,
    on: one.on,
    aliases,
    context: one.contexts.length > 0 ? Math.min(...one.contexts) : undefined,
    embeddings,
    fallback: fallback === undefined ? [] : [fallback],
  };
}

/** Fallbacks must not go in a circle, and small falls back to large already: so the way down ends in a model of its own. */
function spareModel({ on, contexts }: Served): DraftModel {
  return {
    name: SPARE,
    notes: ["the small model once more, for when nothing larger answers: rather a plain answer than none"],
    on,
    aliases: [],
    context: contexts.length > 0 ? Math.min(...contexts) : undefined,
    embeddings: false,
    fallback: [],
  };
}

function draftRules(large: string | undefined, small: string | undefined): DraftRule[] {
  if (large === undefined) return [];
  const rest = { name: "rest", when: undefined, use: large };
  if (small === undefined) return [rest];
  return [{ name: "easy", when: '{ complexity: simple, has_tools: false, tokens: "< 2k" }', use: small }, rest];
}
