import { defineDialect, endTokens } from "../envelopes.ts";
import { hunyuanCalls } from "../grammars/key-values.ts";
import { tagged } from "../grammars/tagged.ts";

export const hyV3 = defineDialect({
  title: "Hunyuan v3 keys and values",
  aliases: ["hunyuan", "hy_v4"],
  models: ["Hunyuan v3", "Hunyuan v4"],
  envelopes: [
    ...["", ":opensource"].map((suffix) =>
      tagged({
        opens: [`<tool_calls${suffix}>`],
        closes: [`</tool_calls${suffix}>`],
        bodies: [hunyuanCalls(suffix)],
      }),
    ),
    endTokens(["<|eos|>"]),
  ],
  thinks: [
    { open: "<think>", close: "</think>" },
    { open: "<think:opensource>", close: "</think:opensource>" },
  ],
  example:
    "<tool_calls><tool_call>get_weather<tool_sep><arg_key>city</arg_key><arg_value>Lyon</arg_value></tool_call></tool_calls>",
});
