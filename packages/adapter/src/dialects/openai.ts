import { defineDialect, endTokens } from "../envelopes.ts";
import { harmonyMessages } from "../grammars/harmony.ts";

export const openai = defineDialect({
  title: "Harmony",
  aliases: ["harmony", "gpt-oss", "gpt_oss", "openai_gptoss"],
  models: ["gpt-oss-20b", "gpt-oss-120b"],
  envelopes: [...harmonyMessages, endTokens(["<|return|>", "<|call|>", "<|end|>"])],
  thinks: [],
  example: '<|channel|>commentary to=functions.get_weather <|constrain|>json<|message|>{"city": "Lyon"}<|call|>',
  faults: ["Names come polluted with tokens of the header", "A message ends without <|call|>"],
});
