import { itemsOf } from "./json-fields.ts";
import type { RequestEdits, RequestView } from "./kind.ts";

/**
 * For engines where `none` shows the model its tools and parses nothing: sends it in place of `auto`, so that a client's own
 * `none` must take the tools away. A call that is demanded is the engine's to enforce, and goes as it is.
 */
export function noneInPlaceOfAuto({ endpoint, body }: RequestView): RequestEdits {
  if (endpoint !== "chat_completions" || itemsOf(body.tools).length === 0) return {};
  const choice = body.tool_choice ?? "auto";
  if (choice === "none") return { tools: undefined };
  return choice === "auto" ? { tool_choice: '"none"' } : {};
}
