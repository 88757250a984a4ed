import { defineDialect, endTokens, invokeShape } from "../envelopes.ts";
import { strays, tagged } from "../grammars/tagged.ts";
import { bareXmlCall, xmlCalls } from "../grammars/xml-calls.ts";
import { minimaxHosted } from "./minimax-hosted.ts";

const shape = invokeShape();
/** MiniMax-M2's XML; the forms that hosted versions of it leak count as well. */
export const minimaxM2 = defineDialect({
  title: "MiniMax-M2 XML",
  aliases: ["minimax-m2", "minimax_m21", "minimax_m25", "minimax_m2_append_think"],
  models: ["MiniMax-M2", "MiniMax-M2.1", "MiniMax-M2.5", "MiniMax-M2.7"],
  envelopes: [
    tagged({
      opens: ["<minimax:tool_call>"],
      closes: ["</minimax:tool_call>"],
      bodies: [xmlCalls(shape)],
      endsThought: true,
    }),
    ...minimaxHosted.envelopes.filter(({ opens }) => !opens.includes("```")),
    bareXmlCall(shape),
    strays("</minimax:tool_call>", "</think>"),
    endTokens(["[e~[", "]~b]ai", "]~!b["]),
  ],
  example:
    '<minimax:tool_call>\n<invoke name="get_weather">\n<parameter name="city">Lyon</parameter>\n</invoke>\n</minimax:tool_call>',
  faults: [
    "SGLang's parser loses the text behind a call, and turns values of nullable parameters into null",
    "vLLM cuts a value at a </parameter> inside it (vllm#44060)",
    "SGLang's reasoning parser makes a reply without </think> reasoning as a whole",
  ],
});
