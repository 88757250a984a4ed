import { defineDialect, endTokens } from "../envelopes.ts";
import { jsonCalls } from "../grammars/json-calls.ts";
import { tagged } from "../grammars/tagged.ts";

export const longcat = defineDialect({
  title: "LongCat JSON",
  models: ["LongCat-Flash"],
  envelopes: [
    tagged({ opens: ["<longcat_tool_call>"], closes: ["</longcat_tool_call>"], bodies: [jsonCalls] }),
    endTokens(["</longcat_s>"]),
  ],
  thinks: [
    { open: "<longcat_think>", close: "</longcat_think>" },
    { open: "<think>", close: "</think>" },
  ],
  example: '<longcat_tool_call>{"name": "get_weather", "arguments": {"city": "Lyon"}}</longcat_tool_call>',
});
