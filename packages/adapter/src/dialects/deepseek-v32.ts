import { defineDialect, endTokens, invokeShape } from "../envelopes.ts";
import { strays, tagged } from "../grammars/tagged.ts";
import { bareXmlCall, type XmlShape, xmlCalls } from "../grammars/xml-calls.ts";

/** V4.1 writes a space behind the token. */
const marked = [invokeShape("｜DSML｜"), invokeShape("｜DSML｜ ")];
const unmarked = invokeShape();
/** The token in the tags' names is lost now and then, in some tags or in all. */
const shapes = [...marked, unmarked];
const shape: XmlShape = {
  calls: shapes.flatMap(({ calls }) => calls),
  endCalls: shapes.flatMap(({ endCalls }) => endCalls),
  parameters: shapes.flatMap(({ parameters }) => parameters),
  newlines: "none",
  forgets: false,
};
const wrappers = [
  "｜DSML｜function_calls>",
  "｜DSML｜tool_calls>",
  "｜DSML｜ calls>",
  "function_calls>",
  "tool_calls>",
  // As models misspell it.
  "｜DSML｜toolcalls>",
  "｜DSML｜tool>",
];

/** DeepSeek V3.2 to V4.1: every parameter says itself whether it is a string. */
export const deepseekV32 = defineDialect({
  title: "DeepSeek DSML",
  aliases: ["deepseekv32", "deepseek_v4", "deepseekv4", "deepseek_v41"],
  models: ["DeepSeek-V3.2", "DeepSeek-V4", "DeepSeek-V4.1"],
  envelopes: [
    tagged({
      opens: wrappers.map((name) => `<${name}`),
      closes: wrappers.map((name) => `</${name}`),
      bodies: [xmlCalls(shape)],
    }),
    { ...bareXmlCall({ ...shape, calls: marked.flatMap(({ calls }) => calls) }), weak: false },
    bareXmlCall({ ...shape, calls: unmarked.calls }),
    strays(...wrappers.map((name) => `</${name}`)),
    endTokens(["<｜end▁of▁sentence｜>"]),
  ],
  example:
    '<｜DSML｜function_calls>\n<｜DSML｜invoke name="get_weather">\n<｜DSML｜parameter name="city" string="true">Lyon</｜DSML｜parameter>\n</｜DSML｜invoke>\n</｜DSML｜function_calls>',
  faults: ["SGLang loses text that comes in the same delta as the call (sglang#31786)"],
});
