import { defineDialect, toolCallsTag, toolCallTag } from "../envelopes.ts";
import { arrowCalls } from "../grammars/arrow-calls.ts";
import { nameArguments } from "../grammars/headed-json.ts";
import { jsonCalls } from "../grammars/json-calls.ts";
import { tagged } from "../grammars/tagged.ts";
import { toolAsTag } from "../grammars/tool-as-tag.ts";

/** What hosted MiniMax models leave in the text instead of a call. */
export const minimaxHosted = defineDialect({
  title: "MiniMax hosted leaks",
  models: ["MiniMax-M2 and M2.1 behind hosted APIs, LM Studio and routers"],
  envelopes: [
    toolCallTag(nameArguments, jsonCalls),
    toolCallsTag(jsonCalls),
    tagged({ opens: ["[TOOL_CALL]"], closes: ["[/TOOL_CALL]"], bodies: [arrowCalls] }),
    toolAsTag,
  ],
  example: '[TOOL_CALL]\n{tool => "get_weather", args => {\n  --city "Lyon"\n}}\n[/TOOL_CALL]',
  faults: ["No engine reads these forms: they reach the client as text"],
});
