import { type Box, isEmpty, requestsOf, subtract } from "./condition-space.ts";
import type { Rule } from "./policy.ts";

/** A rule that no request can reach. */
export interface DeadRule {
  readonly rule: Rule;
  /** Its place in the list, from 0. */
  readonly index: number;
  /** Without the rule's own name: `routing.0 before it takes everything that it matches`. */
  readonly why: string;
}

/** What is known of the requests that can come. */
export interface RuleKnowledge {
  /** Every team; undefined = not known. */
  readonly teams?: Iterable<string> | undefined;
}

/**
 * Finds the rules that can never match: those that contradict themselves, and those that one earlier rule covers whole.
 * What it reports is certain; a rule that only several earlier ones cover together is not reported.
 */
export function findDeadRules(rules: readonly Rule[], knowledge: RuleKnowledge = {}): DeadRule[] {
  const teams = knowledge.teams === undefined ? undefined : [...knowledge.teams];
  const earlier: { rule: Rule; space: readonly Box[] }[] = [];
  const dead: DeadRule[] = [];
  rules.forEach((rule, index) => {
    const space = requestsOf(rule.when);
    if (space === undefined) return;
    const why = contradiction(space, teams) ?? coveredBy(space, earlier, teams);
    if (why === undefined) earlier.push({ rule, space });
    else dead.push({ rule, index, why });
  });
  return dead;
}

/** The teams of `teams` whose requests the rule may match. */
export function teamsOf({ when }: Rule, teams: readonly string[]): string[] {
  const space = requestsOf(when);
  return teams.filter((team) => space === undefined || !space.every((box) => isEmpty(box, [team])));
}

function contradiction(space: readonly Box[], teams: readonly string[] | undefined): string | undefined {
  if (space.every((box) => isEmpty(box, undefined))) return "its condition contradicts itself";
  return space.every((box) => isEmpty(box, teams)) ? "its condition matches no team that exists" : undefined;
}

function coveredBy(
  space: readonly Box[],
  earlier: readonly { rule: Rule; space: readonly Box[] }[],
  teams: readonly string[] | undefined,
): string | undefined {
  const cover = earlier.find((candidate) => subtract(space, candidate.space, teams)?.length === 0);
  if (cover === undefined) return undefined;
  const unconditional = Object.keys(cover.rule.when).length === 0;
  return unconditional
    ? `${cover.rule.label} before it has no condition and takes every request`
    : `${cover.rule.label} before it takes everything that it matches`;
}
