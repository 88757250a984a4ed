import { defineDialect, endTokens } from "../envelopes.ts";
import { headedJson } from "../grammars/headed-json.ts";
import { strays, tagged } from "../grammars/tagged.ts";

/** A token's spellings: tokenizers write the mark between its words as a space, too, and quantised models ASCII bars. */
const tokens = (name: string): readonly string[] => [
  `<｜tool▁${name}｜>`,
  `<｜tool ${name.replace("▁", " ")}｜>`,
  `<|tool▁${name}|>`,
  `<|tool_${name.replace("▁", "_")}|>`,
];

/** The name stands in front of the separator (V3.1), or behind it on a line of its own (V3). */
const call = headedJson({
  starts: tokens("call▁begin"),
  heads: tokens("sep"),
  ends: tokens("call▁end"),
  read(first, behind) {
    const [name] = behind.values();
    // "function" is the kind of the call in V3: the name is behind it, or was lost.
    return name || first !== "function" ? { name: name || first } : undefined;
  },
});

/** DeepSeek V3 and V3.1: their calls differ in the head alone, and models mix them up. */
export const deepseekV3 = defineDialect({
  title: "DeepSeek V3",
  aliases: ["deepseek_r1", "deepseekv3", "cogito"],
  models: ["DeepSeek-V3", "DeepSeek-R1-0528", "Cogito"],
  envelopes: [
    tagged({ opens: tokens("calls▁begin"), closes: tokens("calls▁end"), bodies: [call] }),
    tagged({
      // The last of them is Kimi's.
      opens: tokens("call▁begin").slice(0, 2),
      closes: tokens("calls▁end"),
      bodies: [call, { ...call, starts: [] }],
    }),
    strays(...tokens("calls▁end"), ...tokens("call▁end")),
    endTokens(["<｜end▁of▁sentence｜>", "<|end▁of▁sentence|>", "<|end_of_sentence|>"]),
  ],
  example:
    '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>get_weather\n```json\n{"city": "Lyon"}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>',
  faults: [
    "vLLM loses a call whose begin and end come in one delta (vllm#48020)",
    "SGLang gives {} as the arguments when streaming (sglang#18236)",
  ],
});
