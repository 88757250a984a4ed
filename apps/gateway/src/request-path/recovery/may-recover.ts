import type { Model } from "@signalbox/router";
import type { ReadRequest } from "../read-request.ts";

/** May a reply to this request be recovered if it breaks? A chat that is streamed, where the model's settings say how. */
export function mayRecover(model: Model, { endpoint, stream }: ReadRequest): boolean {
  return model.recoversStreams === true && stream && endpoint === "chat_completions";
}

/** Do the tokens of its first part have to be known exactly? Where they are limited, or to be told. */
export function needsCounts({ defaults }: Model, { body, includeUsage }: ReadRequest): boolean {
  return (
    includeUsage ||
    typeof body.max_tokens === "number" ||
    typeof body.max_completion_tokens === "number" ||
    defaults.max_tokens !== undefined
  );
}
