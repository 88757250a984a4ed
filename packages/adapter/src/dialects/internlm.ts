import { defineDialect, endTokens } from "../envelopes.ts";
import { jsonCalls } from "../grammars/json-calls.ts";
import { strays, tagged } from "../grammars/tagged.ts";

export const internlm = defineDialect({
  title: "InternLM",
  aliases: ["interns1"],
  models: ["InternLM2", "InternLM3", "Intern-S1"],
  envelopes: [
    tagged({
      opens: ["<|action_start|><|plugin|>", "<|action_start|> <|plugin|>"],
      closes: ["<|action_end|>"],
      bodies: [jsonCalls],
    }),
    strays("<|action_end|>"),
    endTokens(["<|im_end|>"]),
  ],
  example: '<|action_start|><|plugin|>\n{"name": "get_weather", "parameters": {"city": "Lyon"}}<|action_end|>',
  faults: ["vLLM's streaming parser is broken, and crashes on two calls"],
});
