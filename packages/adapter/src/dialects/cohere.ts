import { defineDialect, endTokens } from "../envelopes.ts";
import { framed } from "../grammars/bare.ts";
import { jsonCalls } from "../grammars/json-calls.ts";
import { strays, tagged } from "../grammars/tagged.ts";

const action = "<|START_ACTION|>";
/** The end of the text in front of the calls goes with them. */
const actions = ["", "<|END_RESPONSE|>", "<|END_RESPONSE|>\n", "<|END_TEXT|>", "<|END_TEXT|>\n"].map(
  (end) => end + action,
);
const turnEnds = ["<|END_OF_TURN_TOKEN|>"];

export const cohere = defineDialect({
  title: "Cohere Command",
  aliases: ["cohere_command3", "cohere_command4", "cohere_command"],
  models: ["Command R7B", "Command A", "North"],
  envelopes: [
    tagged({ about: `\`${action}\``, opens: actions, closes: ["<|END_ACTION|>"], bodies: [jsonCalls] }),
    ...framed("<|START_RESPONSE|>", "<|END_RESPONSE|>", ...turnEnds),
    ...framed("<|START_TEXT|>", "<|END_TEXT|>", ...turnEnds),
    strays("<|END_ACTION|>"),
    endTokens(turnEnds),
  ],
  thinks: [{ open: "<|START_THINKING|>", close: "<|END_THINKING|>" }],
  example:
    '<|START_ACTION|>[{"tool_call_id": "0", "tool_name": "get_weather", "parameters": {"city": "Lyon"}}]<|END_ACTION|>',
  faults: ["Its own ids begin at 0 in every turn: they are replaced"],
});
