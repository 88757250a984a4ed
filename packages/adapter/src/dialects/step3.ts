import { defineDialect, endTokens } from "../envelopes.ts";
import { step3Call } from "../grammars/step3-call.ts";
import { strays, tagged } from "../grammars/tagged.ts";

export const step3 = defineDialect({
  title: "Step3",
  models: ["Step3"],
  envelopes: [
    tagged({ opens: ["<｜tool_calls_begin｜>"], closes: ["<｜tool_calls_end｜>"], bodies: [step3Call] }),
    strays("<｜tool_calls_end｜>", "<｜tool_call_end｜>"),
    endTokens(["<｜end▁of▁sentence｜>"]),
  ],
  example:
    '<｜tool_calls_begin｜><｜tool_call_begin｜>function<｜tool_sep｜><steptml:invoke name="get_weather"><steptml:parameter name="city">Lyon</steptml:parameter></steptml:invoke><｜tool_call_end｜><｜tool_calls_end｜>',
});
