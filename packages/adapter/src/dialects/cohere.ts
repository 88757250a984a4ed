import { stripped } from "../grammars/bare.ts";
import { jsonCalls } from "../grammars/json-calls.ts";
import { strays, tagged } from "../grammars/tagged.ts";
import { defineDialect, endTokens } from "../envelopes.ts";

export const cohere = defineDialect({
  title: "Cohere Command",
  aliases: ["cohere_command3", "cohere_command4", "cohere_command"],
  models: ["Command R7B", "Command A", "North"],
  envelopes: [
    tagged({ opens: ["<|START_ACTION|>"], closes: ["<|END_ACTION|>"], bodies: [jsonCalls] }),
    stripped("<|START_RESPONSE|>", "<|START_TEXT|>"),
    strays("<|END_ACTION|>"),
    endTokens(["<|END_RESPONSE|>", "<|END_TEXT|>", "<|END_OF_TURN_TOKEN|>"]),
  ],
  thinks: [{ open: "<|START_THINKING|>", close: "<|END_THINKING|>" }],
  example:
    '<|START_ACTION|>[{"tool_call_id": "0", "tool_name": "get_weather", "parameters": {"city": "Lyon"}}]<|END_ACTION|>',
  faults: ["Its own ids begin at 0 in every turn: they are replaced"],
});
