import { defineDialect, endTokens, toolCallsTag } from "../envelopes.ts";
import { jsonCalls } from "../grammars/json-calls.ts";

/** MiniMax-M1: one JSON object a line. */
export const minimax = defineDialect({
  title: "MiniMax-M1 JSON lines",
  aliases: ["minimax_m1"],
  models: ["MiniMax-M1", "MiniMax-M2 with the template of M1"],
  envelopes: [toolCallsTag(jsonCalls), endTokens(["[e~[", "]~b]ai", "]~!b["])],
  example: '<tool_calls>\n{"name": "get_weather", "arguments": {"city": "Lyon"}}\n</tool_calls>',
  faults: ["vLLM drops lines that are not JSON without a word"],
});
