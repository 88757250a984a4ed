import { defineDialect, endTokens } from "../envelopes.ts";
import { jsonCalls } from "../grammars/json-calls.ts";
import { barePythonic, pythonicCalls, pythonLines } from "../grammars/pythonic.ts";
import { strays, tagged } from "../grammars/tagged.ts";

export const lfm2 = defineDialect({
  title: "LFM2 Python calls",
  aliases: ["lfm2-thinking"],
  models: ["LFM2", "LFM2.5"],
  envelopes: [
    tagged({
      opens: ["<|tool_call_start|>"],
      closes: ["<|tool_call_end|>"],
      bodies: [pythonicCalls, { ...jsonCalls, starts: ["{"] }, pythonLines],
    }),
    // Behind a block, the model echoes what it has called: not again.
    { ...barePythonic, where: "start" },
    strays("<|tool_call_end|>"),
    endTokens(["<|im_end|>"]),
  ],
  example: '<|tool_call_start|>[get_weather(city="Lyon")]<|tool_call_end|>',
});
