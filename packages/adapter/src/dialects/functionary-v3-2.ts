import { defineDialect, endTokens } from "../envelopes.ts";
import { forEveryone, recipients } from "../grammars/recipients.ts";

export const functionaryV32 = defineDialect({
  title: "Functionary v3.2",
  aliases: ["functionary"],
  models: ["Functionary v3.2"],
  envelopes: [...recipients, forEveryone, endTokens(["<|eot_id|>", "<|eom_id|>"])],
  example: '>>>get_weather\n{"city": "Lyon"}',
  faults: ["The first recipient comes without >>>, because the prompt ends with it"],
});
