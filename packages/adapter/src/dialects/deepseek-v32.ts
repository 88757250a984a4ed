import { strays, tagged } from "../grammars/tagged.ts";
import { bareXmlCall, xmlCalls } from "../grammars/xml-calls.ts";
import { defineDialect, endTokens, invokeShape } from "../envelopes.ts";

const shape = { ...invokeShape("｜DSML｜"), newlines: "none" as const };
/** DeepSeek V3.2 and V4: every parameter says itself whether it is a string. */
export const deepseekV32 = defineDialect({
  title: "DeepSeek DSML",
  aliases: ["deepseekv32", "deepseek_v4", "deepseekv4"],
  models: ["DeepSeek-V3.2", "DeepSeek-V4"],
  envelopes: [
    tagged({
      opens: ["<｜DSML｜function_calls>", "<｜DSML｜tool_calls>"],
      closes: ["</｜DSML｜function_calls>", "</｜DSML｜tool_calls>"],
      bodies: [xmlCalls(shape)],
    }),
    { ...bareXmlCall(shape), weak: false },
    strays("</｜DSML｜function_calls>", "</｜DSML｜tool_calls>"),
    endTokens(["<｜end▁of▁sentence｜>"]),
  ],
  example:
    '<｜DSML｜function_calls>\n<｜DSML｜invoke name="get_weather">\n<｜DSML｜parameter name="city" string="true">Lyon</｜DSML｜parameter>\n</｜DSML｜invoke>\n</｜DSML｜function_calls>',
  faults: ["SGLang loses text that comes in the same delta as the call (sglang#31786)"],
});
