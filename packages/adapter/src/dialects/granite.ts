import { defineDialect, endTokens, functionCallTag, openJsonTags, toolCallTag } from "../envelopes.ts";
import { jsonCalls } from "../grammars/json-calls.ts";

export const granite = defineDialect({
  title: "Granite",
  aliases: ["granite-20b-fc", "granite3"],
  models: ["Granite 3.0 to 3.3", "Granite 20B function calling"],
  envelopes: [
    toolCallTag(jsonCalls),
    functionCallTag,
    ...openJsonTags,
    endTokens(["<|end_of_text|>", "<|endoftext|>"]),
  ],
  thinks: [
    { open: "Here is my thought process:", close: "Here is my response:" },
    { open: "Here's my thought process:", close: "Here's my response:" },
    { open: "<think>", close: "</think>" },
  ],
  example: '<|tool_call|>[{"name": "get_weather", "arguments": {"city": "Lyon"}}]',
  faults: ["vLLM's parser leaks the tag when its token is split"],
});
