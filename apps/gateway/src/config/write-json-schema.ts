import { writeFileSync } from "node:fs";
import { configJsonSchemaText } from "./json-schema.ts";

/** Where the schema lies in the repository; policy files refer to it in their first line. */
const target = new URL("../../../../signalbox.schema.json", import.meta.url);

writeFileSync(target, configJsonSchemaText());
