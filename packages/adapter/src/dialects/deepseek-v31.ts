import { defineDialect } from "../envelopes.ts";
import { deepseekV3 } from "./deepseek-v3.ts";

export const deepseekV31 = defineDialect({
  title: "DeepSeek V3.1",
  aliases: ["deepseekv31", "deepseek_v3_1", "deepseek3"],
  models: ["DeepSeek-V3.1"],
  envelopes: deepseekV3.envelopes.filter(({ opens }) => !opens.includes("```")),
  example:
    '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>get_weather<｜tool▁sep｜>{"city": "Lyon"}<｜tool▁call▁end｜><｜tool▁calls▁end｜>',
  faults: deepseekV3.faults,
});
