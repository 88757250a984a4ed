import { GatewayError } from "@signalbox/protocol";
import { twoDecimals } from "./classifier.ts";
import { describeMatch, matches, namesModel } from "./conditions.ts";
import { type Features, readFeatures } from "./features.ts";
import { type Filtered, filterChain } from "./filter-chain.ts";
import { type Complexity, complexities, type Model, type Policy, type RequestFacts, type Rule } from "./policy.ts";

/** Where a request goes, before anything is tried, and why. */
export interface Decision {
  /** The first of `chain`. */
  readonly model: Model;
  /** The name or the place of the rule that chose, `routing.2`; `named` = the client named the model. */
  readonly rule: string;
  /** The chosen model and its fallbacks, each once, those that cannot take the request left out. Never empty. */
  readonly chain: readonly Model[];
  /** For a header: printable ASCII, at most 120 characters, e.g. `routing.2: complexity simple, tokens 14 -> small`. */
  readonly reason: string;
  /** Everything that led here, one sentence each. Never text of the prompt. */
  readonly reasons: readonly string[];
  /** Undefined when no rule asked. */
  readonly complexity: Complexity | undefined;
  /** Estimated tokens of the prompt. */
  readonly tokens: number;
  readonly features: Features;
}

/** The model name that the rules give a meaning to. */
export const autoModel = "auto";

/** In the place of a rule, where the client named the model. */
const NAMED = "named";
const MAX_REASON = 120;
const MAX_LISTED = 20;

/** How much room a model's own backends have. `unfit`: none of them can be tried, whatever its room. */
export type ModelLoad = "free" | "saturated" | "unfit";
type LoadOf = (model: Model) => ModelLoad;
const alwaysFree: LoadOf = () => "free";

interface Choice {
  readonly model: Model;
  readonly rule: string;
  /** What chose it: `routing.2: complexity simple`, `alias qwen`. */
  readonly by: string;
  readonly reasons: readonly string[];
}

/**
 * Decides which models may answer, in order. `auto` means the first rule that matches and whose models can take the
 * request; any other name means that model, unless a rule with a `model` condition takes the name over.
 *
 * `allowed` holds the names that the team may ask for, `auto` among them; undefined = all. It limits what is asked for,
 * not what `auto` and fallbacks reach: a team with `auto` and `small` gets to `large` through the policy's rules only.
 *
 * `loadOf` tells how much room a model has now; without it every model counts as free.
 *
 * @throws GatewayError model_not_found, model_not_allowed, data_not_allowed, capability_not_supported or context_length_exceeded.
 */
export function decide(
  policy: Policy,
  facts: RequestFacts,
  allowed?: ReadonlySet<string>,
  loadOf: LoadOf = alwaysFree,
): Decision {
  const features = readFeatures(facts, policy.thresholds);
  const named = resolveName(policy, facts.model);
  if (named !== undefined && !mayUse(named.name, facts, allowed)) throw notAllowed(policy, facts, allowed);
  if (facts.model === autoModel && named === undefined && policy.rules.length > 0) {
    if (!mayUse(autoModel, facts, allowed)) throw notAllowed(policy, facts, allowed);
    return byRules(policy, policy.rules, features, loadOf) ?? noRule(policy, facts, allowed);
  }
  const takeovers = policy.rules.filter(({ when, use }) => {
    const permitted = named !== undefined || mayUse(autoModel, facts, allowed) || mayUse(use, facts, allowed);
    return permitted && namesModel(when);
  });
  const byRule = takeovers.length > 0 ? byRules(policy, takeovers, features, loadOf) : undefined;
  if (byRule !== undefined) return byRule;
  if (named === undefined) throw notFound(policy, facts, allowed);
  const by = named.name === facts.model ? NAMED : `alias ${facts.model}`;
  return serve(policy, { model: named, rule: NAMED, by, reasons: [] }, features, loadOf);
}

/** The names that may be asked for, sorted: models, and `auto` where there are rules; those that no backend could answer left out. */
export function usableModels(policy: Policy, allowed: ReadonlySet<string> | undefined): string[] {
  const names = [...policy.models.keys()];
  if (policy.rules.length > 0 && !policy.models.has(autoModel)) names.push(autoModel);
  return names.filter((name) => (allowed === undefined || allowed.has(name)) && isReachable(policy, name)).sort();
}

/** Does the name lead to a backend of the policy at all? `auto` does when one of the rules does. */
export function isReachable(policy: Policy, name: string): boolean {
  const model = resolveName(policy, name);
  if (model !== undefined) return chainOf(policy, model).some(({ barred }) => barred !== true);
  return name === autoModel && policy.rules.some(({ use }) => isReachable(policy, use));
}

/** Undefined when no rule matches. A rule whose models cannot take the request is passed over; the last word is its error. */
function byRules(policy: Policy, rules: readonly Rule[], features: Features, loadOf: LoadOf): Decision | undefined {
  const reasons: string[] = [];
  let refusal: GatewayError | undefined;
  for (const rule of rules) {
    if (!matches(rule.when, features)) continue;
    const model = policy.models.get(rule.use);
    if (model === undefined) throw new GatewayError("internal_error", `${rule.label}: no model ${rule.use}`);
    const match = describeMatch(rule.when, features);
    try {
      const choice = { model, rule: rule.label, by: match === "" ? rule.label : `${rule.label}: ${match}`, reasons };
      return serve(policy, choice, features, loadOf);
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      refusal ??= error;
      reasons.push(`${rule.label} passed over: ${error.message}`);
    }
  }
  if (refusal !== undefined) throw refusal;
  return undefined;
}

function serve(policy: Policy, choice: Choice, features: Features, loadOf: LoadOf): Decision {
  const whole = chainOf(policy, choice.model);
  const asked = filterChain(whole, features);
  const moved = movedDown(policy, asked.chain[0]!, whole, features, loadOf);
  const { chain, dropped } = moved ?? asked;
  const model = chain[0]!;
  const { assessment, tokens } = features;
  const reasons = [...choice.reasons, `${choice.by} -> ${choice.model.name}`, `tokens about ${tokens}`];
  if (assessment !== undefined) {
    const { score, complexity } = assessment;
    reasons.push(
      `complexity ${complexity}, score ${twoDecimals(score)}: ${assessment.reasons.join("; ") || "no signal"}`,
    );
  }
  reasons.push(...dropped);
  if (moved !== undefined) reasons.push(`${moved.from} is saturated -> ${model.name}`);
  const whyNot = moved === undefined ? dropped[0] : `${moved.from} is saturated`;
  return {
    model,
    rule: choice.rule,
    chain,
    reason: headerText(choice.by, model === choice.model ? model.name : `${model.name} (${whyNot})`),
    reasons,
    complexity: assessment?.complexity,
    tokens,
    features,
  };
}

/**
 * Easy work goes to another model while the chosen one has no room, where the policy says so: to one that has room and can
 * take the request, and never in the midst of a tool loop. Undefined = it stays.
 */
function movedDown(
  policy: Policy,
  from: Model,
  chain: readonly Model[],
  features: Features,
  loadOf: LoadOf,
): (Filtered & { readonly from: string }) | undefined {
  const { whenSaturated } = from;
  if (whenSaturated === undefined || features.toolLoop || loadOf(from) !== "saturated") return undefined;
  const model = resolveName(policy, whenSaturated.use);
  if (model === undefined || loadOf(model) !== "free") return undefined;
  const { complexity } = features.complexity();
  if (complexities.indexOf(complexity) > complexities.indexOf(whenSaturated.complexity)) return undefined;
  const filtered = filterChain([model, ...chain.filter((one) => one !== model)], features);
  return filtered.chain[0] === model ? { ...filtered, from: from.name } : undefined;
}

/** A model and its fallbacks, nearest first, each once. */
export function chainOf(policy: Policy, model: Model): Model[] {
  const chain = [model];
  // The list grows while it is walked: that is what makes it breadth-first.
  for (const { fallback } of chain) {
    for (const name of fallback) {
      const next = resolveName(policy, name);
      if (next !== undefined && !chain.includes(next)) chain.push(next);
    }
  }
  return chain;
}

function resolveName(policy: Policy, name: string): Model | undefined {
  return policy.models.get(name) ?? policy.models.get(policy.aliases.get(name) ?? "");
}

function mayUse(name: string, facts: RequestFacts, allowed: ReadonlySet<string> | undefined): boolean {
  return allowed === undefined || allowed.has(name) || allowed.has(facts.model);
}

function noRule(policy: Policy, facts: RequestFacts, allowed: ReadonlySet<string> | undefined): never {
  const message = "auto: no routing rule matches this request; a last rule without `when` would take what is left";
  throw new GatewayError("model_not_found", `${message}; ${listModels(policy, facts, allowed)}`, { param: "model" });
}

function notFound(policy: Policy, facts: RequestFacts, allowed: ReadonlySet<string> | undefined): GatewayError {
  const message = `there is no model ${quote(facts.model)}; ${listModels(policy, facts, allowed)}`;
  return new GatewayError("model_not_found", message, { param: "model" });
}

function notAllowed(policy: Policy, facts: RequestFacts, allowed: ReadonlySet<string> | undefined): GatewayError {
  const message = `team ${facts.team} may not use the model ${quote(facts.model)}; ${listModels(policy, facts, allowed)}`;
  return new GatewayError("model_not_allowed", message, { param: "model" });
}

function listModels(policy: Policy, facts: RequestFacts, allowed: ReadonlySet<string> | undefined): string {
  const names = usableModels(policy, allowed).filter((name) => name !== facts.model);
  if (names.length === 0) return "this key may use no other";
  const more = names.length > MAX_LISTED ? ` +${names.length - MAX_LISTED} more` : "";
  return `this key may use: ${names.slice(0, MAX_LISTED).join(", ")}${more}`;
}

function quote(name: string): string {
  return JSON.stringify(name.length > 80 ? `${name.slice(0, 77)}...` : name);
}

function headerText(by: string, model: string): string {
  const end = ` -> ${model}`.slice(0, MAX_REASON / 2);
  const room = MAX_REASON - end.length;
  const text = (by.length > room ? `${by.slice(0, room - 3)}...` : by) + end;
  return text.replace(/[^\x20-\x7e]/g, "?");
}
