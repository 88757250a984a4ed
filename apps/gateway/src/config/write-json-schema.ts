import { readFileSync, writeFileSync } from "node:fs";
import { configJsonSchemaText } from "./json-schema.ts";
import { settingsDoc } from "./settings-doc.ts";

const root = new URL("../../../../", import.meta.url);
const page = new URL("docs/configuration.md", root);

// Policy files refer to it in their first line.
writeFileSync(new URL("signalbox.schema.json", root), configJsonSchemaText());
writeFileSync(page, settingsDoc(readFileSync(page, "utf8")));
