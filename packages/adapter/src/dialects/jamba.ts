import { defineDialect, endTokens, toolCallsTag } from "../envelopes.ts";
import { jsonCalls } from "../grammars/json-calls.ts";

export const jamba = defineDialect({
  title: "Jamba JSON array",
  models: ["Jamba 1.5 and later"],
  envelopes: [toolCallsTag(jsonCalls), endTokens(["<|eom|>"])],
  example: '<tool_calls>[\n    {"name": "get_weather", "arguments": {"city": "Lyon"}}\n]</tool_calls>',
  faults: ["vLLM's streaming parser hands out arguments that are not closed"],
});
