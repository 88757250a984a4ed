import { defineDialect } from "../envelopes.ts";
import { jsonCalls } from "../grammars/json-calls.ts";
import { strays, tagged } from "../grammars/tagged.ts";

export const nemotronJson = defineDialect({
  title: "Nemotron JSON array",
  aliases: ["nemotron"],
  models: ["Nemotron-H", "Nemotron Nano v2"],
  envelopes: [tagged({ opens: ["<TOOLCALL>"], closes: ["</TOOLCALL>"], bodies: [jsonCalls] }), strays("</TOOLCALL>")],
  example: '<TOOLCALL>[{"name": "get_weather", "arguments": {"city": "Lyon"}}]</TOOLCALL>',
});
