import { defineDialect, endTokens } from "../envelopes.ts";
import { barePythonic, pythonicCalls } from "../grammars/pythonic.ts";
import { strays, tagged } from "../grammars/tagged.ts";

export const pythonic = defineDialect({
  title: "Python calls",
  aliases: ["llama4_pythonic", "llama4", "toolace"],
  models: ["Llama 3.2 1B and 3B", "Llama 4", "ToolACE"],
  envelopes: [
    tagged({ opens: ["<|python_start|>"], closes: ["<|python_end|>"], bodies: [pythonicCalls] }),
    barePythonic,
    strays("<|python_end|>"),
    endTokens(["<|eot|>", "<|eom|>", "<|eot_id|>", "<|eom_id|>"]),
  ],
  example: '[get_weather(city="Lyon")]',
  faults: ["Negative numbers make SGLang's and vLLM's parsers fail (sglang#27910, vllm#15462)"],
});
