import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { configJsonSchema, configJsonSchemaText } from "./json-schema.ts";

test("signalbox.schema.json is current (pnpm schema writes it)", () => {
  const written = readFileSync(new URL("../../../../signalbox.schema.json", import.meta.url), "utf8");
  expect(written).toBe(configJsonSchemaText());
});

test("an unknown key is wrong in every mapping with known keys", () => {
  const open: string[] = [];
  visit(configJsonSchema(), "", (schema, path) => {
    // What belongs to a request (messages, tools) is the client's business.
    const foreign = /\.(messages|tools|response_format)(\[\])?$/.test(path);
    if (schema.properties !== undefined && schema.additionalProperties !== false && !foreign) open.push(path);
  });
  expect(open).toEqual([]);
});

test("every key says what it is for", () => {
  const silent: string[] = [];
  visit(configJsonSchema(), "", (schema) => {
    for (const [key, member] of Object.entries((schema.properties ?? {}) as Record<string, { description?: string }>)) {
      if (member.description === undefined) silent.push(key);
    }
  });
  // A message's role is the API's.
  expect(silent).toEqual(["role"]);
});

test("words for editors name the pages that the reference links to", () => {
  const { properties } = configJsonSchema() as { properties: Record<string, Schema> };
  const words = (properties.server as { properties: Record<string, Schema> }).properties.redact?.description;
  expect(words).toContain("What is taken out of prompts and answers (docs/privacy.md) before they are logged");
  expect(configJsonSchemaText()).not.toMatch(/\]\(/);
});

type Schema = Record<string, unknown>;

function visit(schema: Schema, path: string, look: (schema: Schema, path: string) => void): void {
  look(schema, path);
  for (const [key, member] of Object.entries((schema.properties ?? {}) as Record<string, Schema>))
    visit(member, `${path}.${key}`, look);
  for (const [key, member] of Object.entries((schema.$defs ?? {}) as Record<string, Schema>))
    visit(member, `#${key}`, look);
  if (typeof schema.additionalProperties === "object") visit(schema.additionalProperties as Schema, `${path}.*`, look);
  if (typeof schema.items === "object") visit(schema.items as Schema, `${path}[]`, look);
}
