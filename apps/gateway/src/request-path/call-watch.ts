import {
  type CallWatch,
  type DeclaredTools,
  describeViolation,
  type Guard,
  ruleName,
  type ToolCall,
} from "@signalbox/adapter";
import { GatewayError } from "@signalbox/protocol";
import { AttemptFailure } from "@signalbox/router";
import type { CallCount, Story } from "./story.ts";

/** Counts the tool calls of one attempt in the request's story, and holds them to the guard. */
export class AttemptCalls implements CallWatch {
  /** Calls that may leave only with a mark. */
  flagged = 0;
  readonly #story: Story;
  readonly #backend: string;
  readonly #model: string;
  readonly #guard: Guard | undefined;
  readonly #tools: () => DeclaredTools;

  constructor(story: Story, backend: string, model: string, guard: Guard | undefined, tools: () => DeclaredTools) {
    this.#story = story;
    this.#backend = backend;
    this.#model = model;
    this.#guard = guard;
    this.#tools = tools;
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
    const backend = this.#backend;
    const model = this.#model;
    const calls = (this.#story.toolCalls ??= []);
    const known = calls.find((one) => one.dialect === dialect && one.outcome === outcome && one.backend === backend);
    if (known === undefined) calls.push({ backend, model, dialect, outcome, count: 1 });
    else known.count++;
  }

  #violate(rule: string, action: string): void {
    const model = this.#model;
    const violations = (this.#story.violations ??= []);
    const known = violations.find((one) => one.rule === rule && one.action === action && one.model === model);
    if (known === undefined) violations.push({ model, rule, action, count: 1 });
    else known.count++;
  }
}
