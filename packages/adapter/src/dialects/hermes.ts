import {
  bareJson,
  defineDialect,
  endTokens,
  functionCallTag,
  openJsonTags,
  toolCallTag,
  toolsTag,
} from "../envelopes.ts";
import { jsonCalls } from "../grammars/json-calls.ts";
import { strays } from "../grammars/tagged.ts";

export const hermes = defineDialect({
  title: "Hermes JSON",
  aliases: [
    "qwen",
    "qwen25",
    "qwen3",
    "trinity",
    "qwen3_json",
    "granite4",
    "qwen3-thinking",
    "qwen3-vl-instruct",
    "qwen3-vl-thinking",
  ],
  models: ["Hermes 2 and 3", "Qwen2.5", "Qwen3", "QwQ", "Trinity", "Granite 4", "many small finetunes"],
  envelopes: [
    toolCallTag(jsonCalls),
    toolsTag,
    functionCallTag,
    ...openJsonTags,
    bareJson,
    strays("</tool_call>", "</tools>", "</function_call>"),
    endTokens(["<|im_end|>", "<|endoftext|>"]),
  ],
  example: '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Lyon"}}\n</tool_call>',
  faults: [
    "vLLM cuts a call at a </tool_call> inside a string",
    "The outer brace is lost under multi-token prediction (vllm#32152)",
    "Ollama drops the calls of a delta that has text as well",
  ],
});
