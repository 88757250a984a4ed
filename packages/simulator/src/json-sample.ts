type Schema = Readonly<Record<string, unknown>>;

const asSchema = (value: unknown): Schema => (typeof value === "object" && value !== null ? (value as Schema) : {});

/** A smallest value that the JSON schema allows, strings filled by `word`; depth at most 8. */
export function sampleJson(value: unknown, word: (name: string) => string, name = "value", depth = 0): unknown {
  const schema = asSchema(value);
  if (schema.const !== undefined) return schema.const;
  if (Array.isArray(schema.enum) && schema.enum.length > 0) return schema.enum[0];
  const union = schema.anyOf ?? schema.oneOf ?? schema.allOf;
  if (Array.isArray(union) && union.length > 0) return sampleJson(union[0], word, name, depth + 1);
  const type = Array.isArray(schema.type) ? schema.type[0] : schema.type;
  if (depth > 8) return null;
  if (type === "integer" || type === "number") return sampleNumber(schema);
  if (type === "boolean") return true;
  if (type === "null") return null;
  if (type === "array") {
    const count = typeof schema.minItems === "number" ? Math.max(1, schema.minItems) : 1;
    return Array.from({ length: count }, () => sampleJson(schema.items, word, name, depth + 1));
  }
  if (type === "object" || schema.properties !== undefined) return sampleObject(schema, word, depth);
  return sampleString(schema, word(name));
}

function sampleNumber(schema: Schema): number {
  if (typeof schema.minimum === "number") return schema.minimum;
  if (typeof schema.exclusiveMinimum === "number") return schema.exclusiveMinimum + 1;
  return typeof schema.maximum === "number" ? Math.min(1, schema.maximum) : 1;
}

function sampleString(schema: Schema, word: string): string {
  const shortest = typeof schema.minLength === "number" ? schema.minLength : 0;
  const longest = typeof schema.maxLength === "number" ? schema.maxLength : Number.POSITIVE_INFINITY;
  return word.padEnd(shortest, "x").slice(0, longest);
}

function sampleObject(schema: Schema, word: (name: string) => string, depth: number): Record<string, unknown> {
  const properties = asSchema(schema.properties);
  const required = Array.isArray(schema.required) ? schema.required.map(String) : Object.keys(properties);
  const result: Record<string, unknown> = {};
  for (const name of required) result[name] = sampleJson(properties[name], word, name, depth + 1);
  return result;
}
