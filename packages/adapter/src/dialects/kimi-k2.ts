import { defineDialect, endTokens } from "../envelopes.ts";
import { eatenKimi, kimiCall, kimiEnds } from "../grammars/kimi-calls.ts";
import { strays, tagged } from "../grammars/tagged.ts";

export const kimiK2 = defineDialect({
  title: "Kimi K2",
  aliases: ["kimi", "kimi_k25"],
  models: ["Kimi K2", "Kimi K2 Thinking", "Kimi K2.5"],
  envelopes: [
    tagged({
      opens: ["<|tool_calls_section_begin|>", "<|tool_call_section_begin|>"],
      closes: kimiEnds,
      bodies: [kimiCall],
      endsThought: true,
    }),
    tagged({
      opens: ["<|tool_call_begin|>"],
      closes: kimiEnds,
      bodies: [kimiCall, { ...kimiCall, starts: [] }],
      single: true,
      endsThought: true,
    }),
    eatenKimi,
    strays(...kimiEnds, "<|tool_call_end|>", "</think>"),
    endTokens(["<|im_end|>"]),
  ],
  thinks: [
    { open: "<think>", close: "</think>" },
    { open: "◁think▷", close: "◁/think▷" },
  ],
  example:
    '<|tool_calls_section_begin|><|tool_call_begin|>functions.get_weather:0<|tool_call_argument_begin|>{"city": "Lyon"}<|tool_call_end|><|tool_calls_section_end|>',
  faults: [
    "Calls begin inside a thought that is never closed",
    "The begin tokens are eaten in front of the first call",
    "Text behind the section is dropped by vLLM and SGLang",
  ],
});
