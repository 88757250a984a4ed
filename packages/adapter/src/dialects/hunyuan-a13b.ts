import { defineDialect, endTokens, toolCallsTag } from "../envelopes.ts";
import { framed } from "../grammars/bare.ts";
import { jsonCalls } from "../grammars/json-calls.ts";

export const hunyuanA13b = defineDialect({
  title: "Hunyuan A13B JSON array",
  aliases: ["hunyuan-a13b"],
  models: ["Hunyuan-A13B"],
  envelopes: [toolCallsTag(jsonCalls), ...framed("<answer>", "</answer>", "<|eos|>"), endTokens(["<|eos|>"])],
  example: '<tool_calls>[{"name": "get_weather", "arguments": {"city": "Lyon"}}]</tool_calls>',
  faults: ["vLLM's streaming parser leaks the tag, and loses arguments behind an empty object (vllm#47901)"],
});
