import { defineDialect, endTokens, toolCallTag } from "../envelopes.ts";
import { jsonCalls } from "../grammars/json-calls.ts";
import { keyValueCalls } from "../grammars/key-values.ts";
import { strays } from "../grammars/tagged.ts";

export const glm45 = defineDialect({
  title: "GLM keys and values",
  aliases: ["glm", "glm-4.5", "glm-4.6"],
  models: ["GLM-4.5", "GLM-4.6"],
  envelopes: [
    toolCallTag(jsonCalls, keyValueCalls({ declaredOnly: false })),
    strays("</tool_call>"),
    endTokens(["<|user|>", "<|observation|>", "<|endoftext|>"]),
  ],
  example: "<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>Lyon</arg_value>\n</tool_call>",
});
