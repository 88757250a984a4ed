import { defineDialect, endTokens } from "../envelopes.ts";
import { bareXmlCall } from "../grammars/xml-calls.ts";

export const minicpm5 = defineDialect({
  title: "MiniCPM5 XML",
  models: ["MiniCPM5"],
  envelopes: [
    bareXmlCall({
      calls: ["<function ", "<functionĠ", "<functionname"],
      endCalls: ["</function>"],
      parameters: ["<param ", "<paramĠ", "<paramname"].map((open) => ({ open, close: "</param>" })),
      newlines: "pair",
      forgets: false,
    }),
    endTokens(["<|im_end|>", "</s>"]),
  ],
  example: '<function name="get_weather"><param name="city">Lyon</param></function>',
});
