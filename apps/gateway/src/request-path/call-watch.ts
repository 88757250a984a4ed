import {
  type CallWatch,
  type DeclaredTools,
  describeViolation,
  type Guard,
  type RawChoice,
  ruleName,
  type ToolCall,
} from "@signalbox/adapter";
import { GatewayError } from "@signalbox/protocol";
import { AttemptFailure } from "@signalbox/router";
import type { CallCount, CallCounts } from "./story.ts";

export interface AttemptCallsOptions {
  /** Where they are counted: the request's story, or, while the attempt may yet be given up, a place apart. */
  readonly counts: CallCounts;
  readonly backend: string;
  readonly model: string;
  readonly guard: Guard | undefined;
  /** The tools that the guard checks by. */
  readonly tools: () => DeclaredTools;
  /** Take each choice at its end. */
  readonly takers: readonly ((raw: RawChoice) => void)[];
}

/** Counts the tool calls of one attempt, and holds them to the guard. */
export class AttemptCalls implements CallWatch {
  /** Calls that may leave only with a mark. */
  flagged = 0;
  #counts: CallCounts;
  readonly #backend: string;
  readonly #model: string;
  readonly #guard: Guard | undefined;
  readonly #tools: () => DeclaredTools;
  /** Undefined = nobody wants the choices. */
  readonly ended: CallWatch["ended"];

  constructor({ counts, backend, model, guard, tools, takers }: AttemptCallsOptions) {
    this.#counts = counts;
    this.#backend = backend;
    this.#model = model;
    this.#guard = guard;
    this.#tools = tools;
    this.ended =
      takers.length === 0
        ? undefined
        : (raw) => {
            for (const take of takers) take(raw);
          };
  }

  /** A call may be refused, so that nothing can be sent before it is complete. */
  get isGuarded(): boolean {
    return this.#guard !== undefined;
  }

  /** What was counted apart joins the story, and what comes is counted there. */
  join(story: CallCounts): void {
    if (this.#counts === story) return;
    addCounts(story, this.#counts);
    this.#counts = story;
  }

  /** @throws AttemptFailure when the policy keeps the call from the client. */
  call(call: ToolCall): void {
    const denied = this.#judge(call);
    this.#count(call.dialect, denied === undefined ? call.outcome : "denied");
    if (denied !== undefined) throw denied;
  }

  failed(dialect: string): void {
    this.#count(dialect, "failed");
  }

  unclosed(dialect: string): void {
    const counts = this.#counts;
    counts.unclosed = tally(counts.unclosed, { backend: this.#backend, model: this.#model, dialect });
  }

  #judge(call: ToolCall): AttemptFailure | undefined {
    if (this.#guard === undefined) return undefined;
    const { action, violations, unchecked } = this.#guard.check(call, this.#tools());
    if (unchecked) this.#violate("unchecked", "pass");
    for (const violation of violations) this.#violate(ruleName(violation), violation.action);
    if (action === "pass") return undefined;
    if (action === "flag") {
      this.flagged++;
      return undefined;
    }
    const message = `a tool call was refused by policy: ${violations.map(describeViolation).join("; ")}`;
    const error = new GatewayError("tool_call_denied", message);
    return new AttemptFailure(
      { how: "denied", escalate: action === "escalate", error },
      `${this.#backend}: ${message}`,
    );
  }

  #count(dialect: string, outcome: CallCount["outcome"]): void {
    const counts = this.#counts;
    counts.toolCalls = tally(counts.toolCalls, { backend: this.#backend, model: this.#model, dialect, outcome });
  }

  #violate(rule: string, action: string): void {
    const counts = this.#counts;
    counts.violations = tally(counts.violations, { model: this.#model, rule, action });
  }
}

/** Adds to a story what was counted apart from it. */
export function addCounts(story: CallCounts, { toolCalls = [], unclosed = [], violations = [] }: CallCounts): void {
  for (const { count, ...labels } of toolCalls) story.toolCalls = tally(story.toolCalls, labels, count);
  for (const { count, ...labels } of unclosed) story.unclosed = tally(story.unclosed, labels, count);
  for (const { count, ...labels } of violations) story.violations = tally(story.violations, labels, count);
}

/** `more` of what has these labels. */
function tally<Labels extends object>(
  counts: (Labels & { count: number })[] = [],
  labels: Labels,
  more = 1,
): (Labels & { count: number })[] {
  const keys = Object.keys(labels) as (keyof Labels)[];
  const known = counts.find((one) => keys.every((key) => one[key] === labels[key]));
  if (known === undefined) counts.push({ ...labels, count: more });
  else known.count += more;
  return counts;
}
