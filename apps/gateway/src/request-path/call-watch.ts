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
import type { CallCount, Story } from "./story.ts";

export interface AttemptCallsOptions {
  readonly story: Story;
  readonly backend: string;
  readonly model: string;
  readonly guard: Guard | undefined;
  /** The tools that the guard checks by. */
  readonly tools: () => DeclaredTools;
  /** Take each choice at its end. */
  readonly takers: readonly ((raw: RawChoice) => void)[];
}

/** Counts the tool calls of one attempt in the request's story, and holds them to the guard. */
export class AttemptCalls implements CallWatch {
  /** Calls that may leave only with a mark. */
  flagged = 0;
  readonly #story: Story;
  readonly #backend: string;
  readonly #model: string;
  readonly #guard: Guard | undefined;
  readonly #tools: () => DeclaredTools;
  /** Undefined = nobody wants the choices. */
  readonly ended: CallWatch["ended"];

  constructor({ story, backend, model, guard, tools, takers }: AttemptCallsOptions) {
    this.#story = story;
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
    const story = this.#story;
    story.unclosed = tally(story.unclosed, { backend: this.#backend, model: this.#model, dialect });
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
    const story = this.#story;
    story.toolCalls = tally(story.toolCalls, { backend: this.#backend, model: this.#model, dialect, outcome });
  }

  #violate(rule: string, action: string): void {
    const story = this.#story;
    story.violations = tally(story.violations, { model: this.#model, rule, action });
  }
}

/** One more of what has these labels. */
function tally<Labels extends object>(
  counts: (Labels & { count: number })[] = [],
  labels: Labels,
): (Labels & { count: number })[] {
  const keys = Object.keys(labels) as (keyof Labels)[];
  const known = counts.find((one) => keys.every((key) => one[key] === labels[key]));
  if (known === undefined) counts.push({ ...labels, count: 1 });
  else known.count++;
  return counts;
}
