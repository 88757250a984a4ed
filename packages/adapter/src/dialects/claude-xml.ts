import { defineDialect, functionCallsTag, invokeShape, think } from "../envelopes.ts";
import { strays } from "../grammars/tagged.ts";
import { bareXmlCall, xmlCalls } from "../grammars/xml-calls.ts";

const shape = invokeShape();
export const claudeXml = defineDialect({
  title: "Claude-style XML",
  aliases: ["claude"],
  models: ["models distilled from Claude", "GLM and MiniMax now and then"],
  envelopes: [functionCallsTag(xmlCalls(shape)), bareXmlCall(shape), strays("</function_calls>")],
  thinks: [think, { open: "<thinking>", close: "</thinking>" }],
  example:
    '<function_calls>\n<invoke name="get_weather">\n<parameter name="city">Lyon</parameter>\n</invoke>\n</function_calls>',
  faults: ["No engine reads this form"],
});
