import { defineDialect, endTokens } from "../envelopes.ts";
import { eatenGemma, gemmaCall } from "../grammars/gemma-call.ts";
import { strays, tagged } from "../grammars/tagged.ts";

const quote = '<|"|>';
const closes = ["<tool_call|>"];

export const gemma4 = defineDialect({
  title: "Gemma 4",
  aliases: ["gemma", "gemma4-no-thinking"],
  models: ["Gemma 4"],
  envelopes: [
    tagged({ opens: ["<|tool_call>"], closes, bodies: [gemmaCall(quote)] }),
    eatenGemma(quote, closes),
    strays("<tool_call|>", "<|tool_response>"),
    endTokens(["<turn|>", "<eos>", "<end_of_turn>", "<channel|>"]),
  ],
  thinks: [
    { open: "<|channel>", close: "<channel|>", label: "thought\n" },
    { open: "<think>", close: "</think>" },
  ],
  example: '<|tool_call>call:get_weather{city:<|"|>Lyon<|"|>}<tool_call|>',
  faults: ["vLLM's streaming parser hands out garbage when a quote token is split"],
});
