import { bareJson, defineDialect, endTokens, functionShape } from "../envelopes.ts";
import { strays } from "../grammars/tagged.ts";
import { bareXmlCall } from "../grammars/xml-calls.ts";

export const functionTag = defineDialect({
  title: "Function tag",
  aliases: ["llama31_prompt", "functionary_v3_1"],
  models: ["Llama 3.1 with a prompt for tools", "Functionary v3.1"],
  envelopes: [bareXmlCall(functionShape), bareJson, strays("</tool_call>"), endTokens(["<|eom_id|>", "<|eot_id|>"])],
  example: '<function=get_weather>{"city": "Lyon"}</function>',
});
