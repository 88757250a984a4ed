import { defineDialect, endTokens } from "../envelopes.ts";
import { headedJson } from "../grammars/headed-json.ts";
import { jsonCalls } from "../grammars/json-calls.ts";
import { strays, tagged } from "../grammars/tagged.ts";

/** `N[ARGS]{}`, with an id or without; some tokenizers drop `[ARGS]`. */
const compactCall = headedJson({
  starts: [],
  heads: ["[CALL_ID]", "[ARGS]"],
  ends: [],
  // Words behind the token are prose about it.
  read: (name, behind) => (/\s/.test(name) ? undefined : { name, id: behind.get("[CALL_ID]") }),
});

export const mistral = defineDialect({
  title: "Mistral",
  aliases: ["ministral", "devstral", "magistral"],
  models: ["Mistral 7B v0.3", "Mistral Nemo", "Mistral Small and Large", "Ministral", "Magistral", "Devstral"],
  envelopes: [
    tagged({ opens: ["[TOOL_CALLS]"], closes: [], bodies: [jsonCalls, compactCall], single: true }),
    strays("[/TOOL_CALLS]"),
    endTokens(["</s>"]),
  ],
  thinks: [{ open: "[THINK]", close: "[/THINK]" }],
  example: '[TOOL_CALLS]get_weather[ARGS]{"city": "Lyon"}',
  faults: ["SGLang's streaming parser loses the second call", "vLLM raises an error on two [TOOL_CALLS]"],
});
