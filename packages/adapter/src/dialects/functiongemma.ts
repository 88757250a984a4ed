import { defineDialect, endTokens } from "../envelopes.ts";
import { gemmaCall } from "../grammars/gemma-call.ts";
import { strays, tagged } from "../grammars/tagged.ts";

export const functiongemma = defineDialect({
  title: "FunctionGemma",
  models: ["FunctionGemma 270M"],
  envelopes: [
    tagged({
      opens: ["<start_function_call>"],
      closes: ["<end_function_call>"],
      bodies: [gemmaCall("<escape>")],
    }),
    strays("<end_function_call>", "<start_function_response>"),
    endTokens(["<end_of_turn>", "<eos>"]),
  ],
  example: "<start_function_call>call:get_weather{city:<escape>Lyon<escape>}<end_function_call>",
  faults: ["vLLM drops arguments that are not escaped"],
});
