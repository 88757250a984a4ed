import { bareJson, defineDialect, endTokens, functools, openJsonTags } from "../envelopes.ts";

export const phi4 = defineDialect({
  title: "Phi-4 tokens",
  models: ["Phi-4-mini on ONNX Runtime (Foundry Local)"],
  envelopes: [...openJsonTags, functools, bareJson, endTokens(["<|end|>", "<|endoftext|>"])],
  example: '<|tool_call|>[{"name": "get_weather", "arguments": {"city": "Lyon"}}]<|/tool_call|>',
  faults: ["Foundry Local drops a block that is not JSON when streaming"],
});
