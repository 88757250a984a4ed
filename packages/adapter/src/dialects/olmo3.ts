import { defineDialect, endTokens, functionCallsTag } from "../envelopes.ts";
import { pythonLines } from "../grammars/pythonic.ts";

export const olmo3 = defineDialect({
  title: "Olmo 3 Python lines",
  aliases: ["olmo3-think"],
  models: ["Olmo 3"],
  envelopes: [functionCallsTag(pythonLines), endTokens(["<|im_end|>"])],
  example: '<function_calls>\nget_weather(city="Lyon")\n</function_calls>',
});
