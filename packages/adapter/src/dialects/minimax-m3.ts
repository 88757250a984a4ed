import { defineDialect, endTokens } from "../envelopes.ts";
import { nestedTags } from "../grammars/nested-tags.ts";
import { strays } from "../grammars/tagged.ts";

export const minimaxM3 = defineDialect({
  title: "MiniMax-M3 nested tags",
  aliases: ["minimax-m3"],
  models: ["MiniMax-M3"],
  envelopes: [nestedTags, strays("</mm:think>"), endTokens(["[e~[", "]~b]ai", "]~!b["])],
  thinks: [{ open: "<mm:think>", close: "</mm:think>" }],
  example:
    ']<]minimax[>[<tool_call>\n]<]minimax[>[<invoke name="get_weather">]<]minimax[>[<city>Lyon]<]minimax[>[</city>]<]minimax[>[</invoke>\n]<]minimax[>[</tool_call>',
  faults: ["XML libraries break on names with special characters (vllm-ascend#12815)"],
});
