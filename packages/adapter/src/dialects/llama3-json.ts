import { bareJson, defineDialect, endTokens } from "../envelopes.ts";
import { jsonCalls } from "../grammars/json-calls.ts";
import { tagged } from "../grammars/tagged.ts";

export const llama3Json = defineDialect({
  title: "Llama 3 JSON",
  aliases: ["llama3", "llama4_json"],
  models: ["Llama 3.1, 3.2 and 3.3", "Llama 4 with its JSON template"],
  envelopes: [
    tagged({ opens: ["<|python_tag|>"], closes: ["<|eom_id|>", "<|eot_id|>"], bodies: [jsonCalls] }),
    bareJson,
    endTokens(["<|eom_id|>", "<|eot_id|>"]),
  ],
  example: '<|python_tag|>{"name": "get_weather", "parameters": {"city": "Lyon"}}',
  faults: ["The parsers of SGLang and vLLM swallow a plain JSON answer, or call JSON that the prose only mentions"],
});
