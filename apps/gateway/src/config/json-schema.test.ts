import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { configJsonSchema, configJsonSchemaText } from "./json-schema.ts";

test("signalbox.schema.json is current (node apps/gateway/src/config/write-json-schema.ts writes it)", () => {
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
  // Request fields have the meaning that the engines give them; a message's role is the API's.
  const wellKnown = ["temperature", "top_p", "top_k", "min_p", "max_tokens", "presence_penalty", "frequency_penalty"];
  expect(silent).toEqual([...wellKnown, "repetition_penalty", "seed", "stop", "role"]);
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
