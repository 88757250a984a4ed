import { defineDialect, endTokens } from "../envelopes.ts";
import { jsonCalls } from "../grammars/json-calls.ts";
import { tagged } from "../grammars/tagged.ts";

export const gigachat3 = defineDialect({
  title: "GigaChat 3",
  models: ["GigaChat 3", "GigaChat 3.1"],
  envelopes: [
    tagged({
      opens: ["<|function_call|>", "<|message_sep|>\n\nfunction call<|role_sep|>\n"],
      closes: [],
      bodies: [jsonCalls],
      single: true,
    }),
    endTokens(["</s>", "<|message_sep|>"]),
  ],
  example: '<|function_call|>{"name": "get_weather", "arguments": {"city": "Lyon"}}',
  faults: ["The tokens leak when they are split over deltas (vllm#51701)"],
});
