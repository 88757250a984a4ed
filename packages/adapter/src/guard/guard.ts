import type { ToolCall } from "../call.ts";
import { compileDenyRule, type DenyRule } from "./deny-rule.ts";
import { type CallArguments, readArguments } from "./read-arguments.ts";
import type { DeclaredTools } from "./schema-cache.ts";
import type { SchemaFault } from "./schema-check.ts";

/**
 * What becomes of a reply with a call that breaks a rule, from mild to strict: it passes; it passes and is marked; a larger
 * model is asked once, and its reply is held to the same rules; it is refused. `escalate` is milder than `reject`: both
 * keep the call from the client, and only one of them may still bring an answer.
 */
export const guardActions = ["pass", "flag", "escalate", "reject"] as const;
export type GuardAction = (typeof guardActions)[number];

/** What a guard looks for. */
export interface GuardPolicy {
  /** Arguments that do not fit the tool's declared schema. */
  readonly schema: GuardAction;
  /** Calls of tools that the request does not declare. */
  readonly undeclared: GuardAction;
  readonly deny: readonly DenyRule[];
}

/** One rule that a call breaks. `tool` is as the model wrote it: clean it before it goes into a header or a label. */
export type Violation =
  | { readonly rule: "schema"; readonly action: GuardAction; readonly tool: string; readonly fault: SchemaFault }
  | { readonly rule: "undeclared"; readonly action: GuardAction; readonly tool: string }
  | { readonly rule: "deny"; readonly action: GuardAction; readonly tool: string; readonly label: string };

export interface GuardVerdict {
  /** The strictest action of the rules that are broken; `pass` when none is. */
  readonly action: GuardAction;
  readonly violations: readonly Violation[];
  /** The policy asks for the schema, and it could not be compiled or would have cost too much: to be counted. */
  readonly unchecked: boolean;
}

/** Checks tool calls against a policy. Pure and without state. */
export interface Guard {
  /** Judges a complete call. Time is linear in its arguments; never throws. */
  check(call: ToolCall, tools: DeclaredTools): GuardVerdict;
}

const passed: GuardVerdict = Object.freeze({ action: "pass", violations: [], unchecked: false });

/** A guard for a policy. Undefined when the policy lets everything pass: then there is nothing to look at. */
export function createGuard(policy: GuardPolicy): Guard | undefined {
  const { schema, undeclared } = policy;
  const matchers = policy.deny.map(compileDenyRule);
  if (schema === "pass" && undeclared === "pass" && matchers.length === 0) return undefined;
  return {
    check(call, tools) {
      const tool = call.name;
      const violations: Violation[] = [];
      let unchecked = false;
      let read: CallArguments | undefined;
      const args = () => (read ??= readArguments(call.arguments));
      if (undeclared !== "pass" && !tools.declares(tool))
        violations.push({ rule: "undeclared", action: undeclared, tool });
      const declared = schema === "pass" ? undefined : tools.schemaOf(tool);
      if (declared !== undefined) {
        const fault = declared === "unchecked" ? declared : declared.fault(args(), call.arguments.length);
        if (fault === "unchecked") unchecked = true;
        else if (fault !== undefined) violations.push({ rule: "schema", action: schema, tool, fault });
      }
      for (const { rule, denies } of matchers) {
        if (denies(tool, args)) violations.push({ rule: "deny", action: rule.action, tool, label: rule.label });
      }
      if (violations.length === 0 && !unchecked) return passed;
      const action = violations.map((violation) => violation.action).reduce(stricter, "pass");
      return { action, violations, unchecked };
    },
  };
}

/** The policy that is at least as strict as each of those given: the stricter action, and all deny rules. */
export function combinePolicies(...policies: readonly GuardPolicy[]): GuardPolicy {
  return {
    schema: policies.map((policy) => policy.schema).reduce(stricter, "pass"),
    undeclared: policies.map((policy) => policy.undeclared).reduce(stricter, "pass"),
    deny: policies.flatMap((policy) => policy.deny),
  };
}

/** Names the broken rule for a metric: `schema`, `undeclared`, or the label of a deny rule. */
export function ruleName(violation: Violation): string {
  return violation.rule === "deny" ? violation.label : violation.rule;
}

/** What a violation is, in a few words for people: `shell: arguments.command breaks «type»`. Nothing of the arguments. */
export function describeViolation(violation: Violation): string {
  const tool = /^[\w.:/-]{1,64}$/.test(violation.tool) ? violation.tool : "a tool";
  if (violation.rule === "deny") return `${tool}: denied by ${violation.label}`;
  if (violation.rule === "undeclared") return `${tool}: not a tool of the request`;
  const { path, keyword } = violation.fault;
  return `${tool}: arguments${path === "" || path.startsWith("[") || path.startsWith(".") ? path : `.${path}`} break «${keyword}» of the tool's schema`;
}

/** The stricter of two actions. */
export function stricter(a: GuardAction, b: GuardAction): GuardAction {
  return guardActions.indexOf(a) > guardActions.indexOf(b) ? a : b;
}
