import { defineDialect } from "../envelopes.ts";

/** Nothing is looked for: what the engine sends as content stays content. */
export const none = defineDialect({
  title: "None",
  models: ["engines whose content must not be touched"],
  thinks: [],
  example: "",
});
