import { defineDialect, endTokens, functools, openJsonTags } from "../envelopes.ts";

export const phi4MiniJson = defineDialect({
  title: "Phi-4-mini functools",
  aliases: ["phi4mini", "phi4_mini", "firefunction"],
  models: ["Phi-4-mini with vLLM's template", "older Foundry Local"],
  envelopes: [functools, ...openJsonTags, endTokens(["<|end|>", "<|endoftext|>"])],
  example: 'functools[{"name": "get_weather", "arguments": {"city": "Lyon"}}]',
  faults: [
    "vLLM's parser emits nothing at all when streaming (vllm#18257), and ends the array at its first inner bracket",
  ],
});
