import { defineDialect, endTokens, toolCallTag } from "../envelopes.ts";
import { framed } from "../grammars/bare.ts";
import { jsonCalls } from "../grammars/json-calls.ts";

export const ernie45 = defineDialect({
  title: "ERNIE 4.5",
  aliases: ["ernie"],
  models: ["ERNIE 4.5"],
  envelopes: [toolCallTag(jsonCalls), ...framed("<response>", "</response>", "</s>"), endTokens(["</s>"])],
  example: '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Lyon"}}\n</tool_call>',
});
