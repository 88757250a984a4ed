import type { JsonSchema } from "../tools.ts";

/** A client's schema made harmless. */
export interface TamedSchema {
  readonly schema: JsonSchema;
  /** Subschemas, and values listed in them: what a check costs at most for each value of the arguments. */
  readonly nodes: number;
  /** Rules that read a whole string. */
  readonly lengthRules: number;
}

/** Most subschemas and listed values of one tool, references written out. */
const maxNodes = 2000;
const maxDepth = 64;

type Mapping = Readonly<Record<string, unknown>>;

/** A subschema, and whether it still says all that the written one says. */
interface Tamed {
  readonly schema: JsonSchema;
  readonly exact: boolean;
}

interface Work {
  readonly root: JsonSchema;
  /** References that are being written out. */
  readonly open: Set<string>;
  nodes: number;
  lengthRules: number;
}

/** The schema is too large, too deep, or has no form that can be checked. */
class Untamable extends Error {}

/**
 * A client's JSON Schema as a finite tree of keywords whose cost is bounded: local references are written out (a recursive
 * one allows anything below its first turn), and what could blow up or reach outside is left out: `pattern`, `format`,
 * `uniqueItems`, `unevaluated*`, remote and dynamic references. It never refuses what the written schema allows: where
 * leaving something out would make it stricter (below `not`, `if` and `oneOf`), the keyword around it is left out or
 * loosened. Undefined = it cannot be checked. Never throws.
 */
export function tameSchema(root: JsonSchema): TamedSchema | undefined {
  const work: Work = { root, open: new Set(), nodes: 0, lengthRules: 0 };
  try {
    const { schema } = tame(root, work, 0);
    return work.nodes > maxNodes ? undefined : { schema, nodes: work.nodes, lengthRules: work.lengthRules };
  } catch (error) {
    if (error instanceof Untamable || error instanceof RangeError) return undefined;
    throw error;
  }
}

const typeNames: readonly unknown[] = ["string", "number", "integer", "boolean", "object", "array", "null"];
const isMapping = (value: unknown): value is Mapping =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isNumber = (value: unknown) => typeof value === "number" && Number.isFinite(value);
const isTexts = (value: unknown) => Array.isArray(value) && value.every((item) => typeof item === "string");

/** Keywords without subschemas and the form that they must have; in another form they are left out. */
const leaves: Readonly<Record<string, (value: unknown) => boolean>> = {
  type: (value) => [value].flat().every((name) => typeNames.includes(name)),
  const: () => true,
  enum: Array.isArray,
  required: isTexts,
  dependentRequired: (value) => isMapping(value) && Object.values(value).every(isTexts),
  minimum: isNumber,
  maximum: isNumber,
  exclusiveMinimum: isNumber,
  exclusiveMaximum: isNumber,
  multipleOf: (value) => isNumber(value) && (value as number) > 0,
  minLength: isNumber,
  maxLength: isNumber,
  minItems: isNumber,
  maxItems: isNumber,
  minProperties: isNumber,
  maxProperties: isNumber,
  minContains: isNumber,
  maxContains: isNumber,
};

/** Left out always: their cost or their reach is the client's to choose. */
const unsafe = [
  ...["pattern", "patternProperties", "format", "uniqueItems", "unevaluatedProperties", "unevaluatedItems"],
  ...["dependencies", "$dynamicRef", "$recursiveRef"],
];

/** A subschema in the making. */
interface Part {
  readonly written: Mapping;
  readonly out: Record<string, unknown>;
  exact: boolean;
  /** Tames a subschema without a word about the whole. */
  readonly tame: (value: unknown) => Tamed;
  /** Tames a subschema in a place where loosening it loosens the whole. */
  readonly keep: (value: unknown) => JsonSchema;
}

function tame(written: unknown, work: Work, depth: number): Tamed {
  if (++work.nodes > maxNodes || depth > maxDepth) throw new Untamable();
  if (typeof written === "boolean") return { schema: written, exact: true };
  // A schema with an address of its own moves what the references in it mean.
  if (!isMapping(written) || (written !== work.root && typeof written.$id === "string")) throw new Untamable();
  const part: Part = {
    written,
    out: {},
    exact: !unsafe.some((keyword) => Object.hasOwn(written, keyword)),
    tame: (value) => tame(value, work, depth + 1),
    keep: (value) => {
      const tamed = part.tame(value);
      part.exact &&= tamed.exact;
      return tamed.schema;
    },
  };
  copyLeaves(part, work);
  tameObjectsAndArrays(part);
  tameLogic(part, work);
  return { schema: part.out, exact: part.exact };
}

function copyLeaves(part: Part, work: Work): void {
  const { written, out } = part;
  for (const [keyword, hasForm] of Object.entries(leaves)) {
    const value = written[keyword];
    if (value === undefined) continue;
    if (hasForm(value)) out[keyword] = value;
    else part.exact = false;
    if (typeof value === "object") work.nodes += JSON.stringify(value).length >> 4;
  }
  if (out.minLength !== undefined || out.maxLength !== undefined) work.lengthRules++;
  // OpenAPI's way to say «or null».
  if (written.nullable === true && typeof out.type === "string") {
    out.type = [out.type, "null"];
    if (Array.isArray(out.enum)) out.enum = [...out.enum, null];
  }
}

function tameObjectsAndArrays(part: Part): void {
  const { written, out, keep } = part;
  const { items, prefixItems, contains, additionalProperties } = written;
  for (const keyword of ["properties", "dependentSchemas"]) {
    if (written[keyword] !== undefined) out[keyword] = keepByName(written[keyword], keep);
  }
  if (written.propertyNames !== undefined) out.propertyNames = keep(written.propertyNames);
  // Without the patterns nobody can say which properties are additional.
  if (additionalProperties !== undefined && written.patternProperties === undefined)
    out.additionalProperties = keep(additionalProperties);
  if (prefixItems !== undefined) out.prefixItems = keepEach(prefixItems, keep);
  if (items !== undefined) out.items = Array.isArray(items) ? keepEach(items, keep) : keep(items);
  if (Array.isArray(items) && written.additionalItems !== undefined)
    out.additionalItems = keep(written.additionalItems);
  if (contains === undefined) return;
  const tamed = part.tame(contains);
  out.contains = tamed.schema;
  if (tamed.exact) return;
  delete out.maxContains;
  part.exact = false;
}

function tameLogic(part: Part, work: Work): void {
  const { written, out, keep } = part;
  const all = written.allOf === undefined ? [] : keepEach(written.allOf, keep);
  if (written.anyOf !== undefined) out.anyOf = keepEach(written.anyOf, keep);
  if (written.$ref !== undefined) all.push(writeOut(written.$ref, part, work));
  if (written.oneOf !== undefined) {
    const wasExact = part.exact;
    part.exact = true;
    const oneOf = keepEach(written.oneOf, keep);
    // Two loosened branches may both fit where only one of the written ones does.
    if (part.exact) out.oneOf = oneOf;
    else all.push({ anyOf: oneOf });
    part.exact &&= wasExact;
  }
  if (written.not !== undefined) {
    const not = part.tame(written.not);
    if (not.exact) out.not = not.schema;
    else part.exact = false;
  }
  if (written.if !== undefined) {
    const condition = part.tame(written.if);
    if (condition.exact) {
      out.if = condition.schema;
      for (const branch of ["then", "else"]) if (written[branch] !== undefined) out[branch] = keep(written[branch]);
    } else part.exact = false;
  }
  if (all.length > 0) out.allOf = all;
}

function keepEach(value: unknown, keep: Part["keep"]): JsonSchema[] {
  if (!Array.isArray(value)) throw new Untamable();
  return value.map(keep);
}

function keepByName(value: unknown, keep: Part["keep"]): Mapping {
  if (!isMapping(value)) throw new Untamable();
  return Object.fromEntries(Object.entries(value).map(([name, schema]) => [name, keep(schema)]));
}

function writeOut(reference: unknown, part: Part, work: Work): JsonSchema {
  const target = typeof reference === "string" && !work.open.has(reference) ? resolve(reference, work.root) : undefined;
  if (target === undefined) {
    part.exact = false;
    return true;
  }
  work.open.add(reference as string);
  const schema = part.keep(target);
  work.open.delete(reference as string);
  return schema;
}

/** What a JSON pointer (`#/$defs/place`) leads to; undefined = nothing, or another document. */
function resolve(reference: string, root: JsonSchema): unknown {
  if (reference === "#") return root;
  if (!reference.startsWith("#/")) return undefined;
  return reference
    .slice(2)
    .split("/")
    .reduce<unknown>((value, part) => {
      const name = part.replaceAll("%24", "$").replaceAll("~1", "/").replaceAll("~0", "~");
      return typeof value === "object" && value !== null && Object.hasOwn(value, name)
        ? (value as Mapping)[name]
        : undefined;
    }, root);
}
