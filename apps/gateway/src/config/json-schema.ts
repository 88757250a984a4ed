import { z } from "zod";
import { headerKey } from "./condition-schema.ts";
import { ConfigFile } from "./schema.ts";

type JsonObject = { [key: string]: unknown };

/** The JSON Schema (draft 2020-12) of the policy file, for editors. It knows forms and names of keys; `signalbox check` knows the rest. */
export function configJsonSchema(): JsonObject {
  const schema = z.toJSONSchema(ConfigFile, {
    io: "input",
    override: ({ jsonSchema }) => adapt(jsonSchema as JsonObject),
  }) as JsonObject;
  const { $schema, ...rest } = schema;
  return { $schema, title: "Signalbox policy file", ...rest };
}

/** The text of signalbox.schema.json. */
export function configJsonSchemaText(): string {
  return `${JSON.stringify(configJsonSchema(), null, 2)}\n`;
}

// Where anything but a listed word is wrong, an editor still has to let variables through.
const variable = { type: "string", pattern: String.raw`\$\{.*\}` };
const textOrTexts = {
  anyOf: [
    { type: "string", minLength: 1 },
    { type: "array", minItems: 1, items: { type: "string", minLength: 1 } },
  ],
};

/** The words of docs/configuration.md as an editor can show them: a link becomes the name of the page it leads to. */
function withoutLinks(markdown: string): string {
  return markdown.replace(/\[([^\]]*)\]\(([\w./-]*)(?:#[\w-]*)?\)/g, (_link, words: string, page: string) =>
    page === "" ? words : `${words} (docs/${page})`,
  );
}

function adapt(schema: JsonObject): void {
  const properties = schema.properties as JsonObject | undefined;
  if (properties !== undefined && Object.hasOwn(properties, headerKey)) {
    const { description } = properties[headerKey] as JsonObject;
    delete properties[headerKey];
    schema.patternProperties = { "^header\\.[^A-Z\\s]+$": { description, ...textOrTexts } };
  }
  if (schema.unit !== undefined) {
    schema.type = schema.unit === "count" ? ["string", "integer"] : "string";
    if (schema.unit === "count") schema.minimum ??= 1;
    delete schema.unit;
  }
  if (schema.suggestions !== undefined) {
    // More words are right than an editor is told of.
    schema.anyOf = [{ type: "string" }, { enum: schema.suggestions }];
    delete schema.suggestions;
    delete schema.type;
  }
  if (Array.isArray(schema.enum) && schema.type === "string" && schema.enum.length > 1) {
    schema.anyOf = [{ type: "string", enum: schema.enum }, variable];
    delete schema.enum;
    delete schema.type;
  }
  if (typeof schema.description === "string") schema.description = withoutLinks(schema.description);
  delete schema.value;
  const { default: value } = schema;
  if (typeof value === "object" && value !== null && Object.keys(value).length === 0) delete schema.default;
}
