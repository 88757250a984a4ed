/**
 * The finish_reason that is true of a choice: `tool_calls` if and only if it has calls, unless the model was cut
 * (`length`) or stopped by a filter.
 */
export function trueFinish(upstream: string, hasCalls: boolean): string {
  if (upstream === "length" || upstream === "content_filter") return upstream;
  if (hasCalls) return "tool_calls";
  return upstream === "tool_calls" || upstream === "function_call" ? "stop" : upstream;
}
