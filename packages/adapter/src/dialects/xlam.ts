import { bareJson, defineDialect, endTokens, toolCallTag } from "../envelopes.ts";
import { jsonCalls } from "../grammars/json-calls.ts";
import { strays, tagged } from "../grammars/tagged.ts";

export const xlam = defineDialect({
  title: "xLAM JSON array",
  models: ["xLAM", "Llama xLAM-2"],
  envelopes: [
    bareJson,
    tagged({ opens: ["[TOOL_CALLS]"], closes: [], bodies: [jsonCalls], single: true }),
    toolCallTag(jsonCalls),
    strays("</tool_call>"),
    endTokens(["<|eom_id|>", "<|eot_id|>", "<|im_end|>"]),
  ],
  example: '[{"name": "get_weather", "arguments": {"city": "Lyon"}}]',
  faults: [
    "vLLM makes a call of JSON that the prose shows as an example",
    "vLLM loses the arguments behind a call without any (vllm#47901)",
  ],
});
