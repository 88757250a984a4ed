import { defineDialect } from "../envelopes.ts";
import { glm45 } from "./glm45.ts";

export const glm47 = defineDialect({
  title: "GLM keys and values, without newlines",
  aliases: ["glm-4.7", "glm5", "laguna", "poolside_v1", "ling3"],
  models: ["GLM-4.7", "GLM-5", "Laguna"],
  envelopes: glm45.envelopes.filter(({ opens }) => !opens.includes("```")),
  example: "<tool_call>get_weather<arg_key>city</arg_key><arg_value>Lyon</arg_value></tool_call>",
  faults: ["A call without arguments is the bare name: it must not be read as JSON"],
});
