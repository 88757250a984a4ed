import { argumentTexts, evenSpace } from "./argument-texts.ts";
import { compileGlob } from "./glob.ts";
import type { CallArguments } from "./read-arguments.ts";

/** What a rule asks of one argument. */
export interface DenyCondition {
  /** A name, or a dotted path into nested arguments. */
  readonly argument: string;
  /** Globs (`*`, `?`) for the whole value; one of them must fit. */
  readonly matches: readonly string[];
  /** Upper and lower case are the same; they differ unless told. */
  readonly ignoreCase?: boolean;
}

/** Calls that nobody may make. */
export interface DenyRule {
  /** Names the rule in logs and errors. */
  readonly label: string;
  /** A glob for the tool's name, which is case-sensitive. */
  readonly tool: string;
  /** All of them must hold. None = every call of the tool is denied. */
  readonly when: readonly DenyCondition[];
  readonly action: "flag" | "escalate" | "reject";
}

/** A compiled rule. */
export interface DenyMatcher {
  readonly rule: DenyRule;
  /** Is a call of `tool` denied? Arguments that cannot be read are, wherever a condition asks for them. */
  denies(tool: string, args: () => CallArguments): boolean;
}

/** Compiles a deny rule. */
export function compileDenyRule(rule: DenyRule): DenyMatcher {
  const tool = compileGlob(rule.tool);
  const conditions = rule.when.map(compileCondition);
  return {
    rule,
    denies(name, args) {
      if (!tool.fits(name)) return false;
      if (conditions.length === 0) return true;
      const { object } = args();
      if (object === undefined) return true;
      try {
        return conditions.every((holds) => holds(object));
      } catch (error) {
        // Nested too deep to be read; what cannot be looked into does not pass.
        if (error instanceof RangeError) return true;
        throw error;
      }
    },
  };
}

function compileCondition({ argument, matches, ignoreCase = false }: DenyCondition): (args: object) => boolean {
  const fold = (text: string) => (ignoreCase ? text.toLowerCase() : text);
  const globs = matches.map((pattern) => compileGlob(fold(evenSpace(pattern))));
  return (args) => argumentTexts(args, argument).some((text) => globs.some((glob) => glob.fits(fold(text))));
}
