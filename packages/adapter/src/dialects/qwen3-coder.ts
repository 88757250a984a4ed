import { defineDialect, endTokens, functionShape, toolCallTag } from "../envelopes.ts";
import { jsonCalls } from "../grammars/json-calls.ts";
import { strays } from "../grammars/tagged.ts";
import { bareXmlCall, xmlCalls } from "../grammars/xml-calls.ts";

export const qwen3Coder = defineDialect({
  title: "Qwen3-Coder XML",
  aliases: [
    "qwen3_xml",
    "qwen3-coder",
    "qwen35",
    "qwen3.5",
    "step3p5",
    "mimo",
    "step5",
    "nemotron-3-nano",
    "nemotron_v3",
    "nemotron_3",
    "nemotron-3.5-nano",
    "ornith",
  ],
  models: ["Qwen3-Coder", "Qwen3.5 and 3.6", "Nemotron Nano 3", "Step-3.5", "MiMo"],
  envelopes: [
    { ...toolCallTag(xmlCalls(functionShape), jsonCalls), endsThought: true },
    bareXmlCall(functionShape),
    strays("</tool_call>", "</think>"),
    endTokens(["<|im_end|>", "<|endoftext|>"]),
  ],
  example: "<tool_call>\n<function=get_weather>\n<parameter=city>\nLyon\n</parameter>\n</function>\n</tool_call>",
  faults: [
    "The opening <tool_call> is omitted in one of five turns (ollama#16686, ollama#17742)",
    "Ollama ends a stream with an error line on XML that its library cannot read, and never flushes an open call",
    "Closing tags inside values end them (vllm#40861)",
  ],
});
