import { defineDialect, endTokens, functionShape } from "../envelopes.ts";
import { strays, tagged } from "../grammars/tagged.ts";
import { bareXmlCall, xmlCalls } from "../grammars/xml-calls.ts";

export const seedOss = defineDialect({
  title: "Seed-OSS XML",
  models: ["Seed-OSS"],
  envelopes: [
    tagged({ opens: ["<seed:tool_call>"], closes: ["</seed:tool_call>"], bodies: [xmlCalls(functionShape)] }),
    bareXmlCall(functionShape),
    strays("</seed:tool_call>"),
    endTokens(["<seed:eos>", "<seed:bos>"]),
  ],
  thinks: [{ open: "<seed:think>", close: "</seed:think>" }],
  example: "<seed:tool_call>\n<function=get_weather>\n<parameter=city>Lyon</parameter>\n</function>\n</seed:tool_call>",
  faults: ["vLLM needs the end of the thinking before it finds a call"],
});
