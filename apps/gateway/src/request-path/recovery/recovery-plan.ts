import type { AttemptFailure, Candidate, Choice, Deployment } from "@signalbox/router";
import type { ReadRequest } from "../read-request.ts";

/** How a reply that broke may be brought to its end. */
export type RecoveryWay = "continuation" | "restart";

/** What became of it; told in metrics and in the request's line. */
export interface RecoveryNote {
  readonly how: RecoveryWay;
  /**
   * `finished`: the reply came to its end; `broken`: it broke again; `mismatched`: another text came; `refused`: no backend
   * began; `not_tried`: it was not safe, or the budgets are spent; `client_gone`: the client left meanwhile.
   */
  readonly outcome: "finished" | "broken" | "mismatched" | "refused" | "not_tried" | "client_gone";
  readonly reason?: string | undefined;
  readonly backend?: string | undefined;
}

/** Did the backend let the reply down, in a way that another one need not? */
export function isRecoverable({ end }: AttemptFailure): boolean {
  switch (end.how) {
    case "fault":
      return end.fault !== "aborted";
    case "timeout":
      return end.which === "stall";
    case "incomplete":
    case "malformed":
      return true;
    case "refused":
      return !["caller", "content_filter", "context_length"].includes(end.error.meaning);
    default:
      return false;
  }
}

/**
 * Can a deployment go on with plain text, whatever the text is? A thought would be opened by its template, and an engine's
 * own parser begins anew in the midst of the text: what is a call at the beginning of a reply may be prose there.
 */
export function continues(deployment: Deployment, { body }: ReadRequest): boolean {
  const { continuesReplies, reasoningFirst, toolParser } = deployment;
  if (continuesReplies !== true || reasoningFirst) return false;
  const mayCall = Array.isArray(body.tools) && body.tools.length > 0 && body.tool_choice !== "none";
  return !mayCall || toolParser === "raw";
}

/** Of a choice, the candidates that will do; backends that broke come last, for they may be alive again. */
export function narrowed(
  choice: Choice,
  willDo: (deployment: Deployment) => boolean,
  broken: ReadonlySet<string>,
): Choice {
  const rank = ({ backend }: Candidate): number => Number(broken.has(backend.name));
  const narrow = (candidates: readonly Candidate[]) => {
    return candidates.filter(({ deployment }) => willDo(deployment)).toSorted((a, b) => rank(a) - rank(b));
  };
  return { fit: narrow(choice.fit), panic: narrow(choice.panic), refused: choice.refused };
}
