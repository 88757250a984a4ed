import { isJsonNumber, jsonNumberOf, repairJson } from "./json/repair-json.ts";
import type { DeclaredTool, JsonSchema } from "./tools.ts";

/** What became of a text. */
export interface CoercedText {
  /** JSON text of the value; undefined = an empty element of a type other than string, which is no value. */
  readonly json: string | undefined;
  /** The value was cast by more than reading it as JSON of a declared type, or could not be and stayed a string. */
  readonly coerced: boolean;
}

/** Arguments made of the texts of parameters. */
export interface CoercedArguments {
  /** JSON text of an object. */
  readonly json: string;
  /** At least one of the values was. */
  readonly coerced: boolean;
}

/** The types that a schema allows, one bit each; a number may be an integer. */
const bits = { string: 1, integer: 2, number: 2 | 4, boolean: 8, object: 16, array: 32, null: 64 } as const;
/** The schema says nothing of types: all of them, and the mark that none was named. */
const unsaid = 255;
const unsaidMark = 128;

const typeBits = new Map<string, number>(Object.entries(bits));

/** Names of types in schemas that were written for Python, Google or a database. */
const typeAliases: readonly (readonly [pattern: RegExp, types: number])[] = [
  [/^(?:str|text|varchar|char|enum)/, bits.string],
  [/^(?:u?int|long|short|unsigned)/, bits.integer],
  [/^(?:num|float|double)/, bits.number],
  [/^(?:bool|binary)/, bits.boolean],
  [/^(?:dict|map)/, bits.object],
  [/^(?:list|arr)/, bits.array],
  [/^(?:none|nil)/, bits.null],
];

/** The types that a name stands for, in any case; undefined = it is no name of a type. */
function typesNamed(name: string): number | undefined {
  const lower = name.toLowerCase();
  return typeBits.get(lower) ?? typeAliases.find(([pattern]) => pattern.test(lower))?.[1];
}

/** Schemas looked at for one value: references may go round in circles, and alternatives multiply. */
const maxSchemas = 256;

interface Walk {
  readonly root: JsonSchema;
  left: number;
}

/** A parameter as it was read. DSML says itself whether a value is a string (else it is JSON). */
export interface TextParameter {
  readonly name: string;
  readonly text: string;
  readonly isString?: boolean | undefined;
}

/**
 * The arguments of a call whose parameters are texts: typed as they say themselves, else by the tool's schema; what is not
 * declared stays a string. The last of a repeated parameter wins.
 */
export function argumentsOfTexts(
  parameters: readonly TextParameter[],
  tool: DeclaredTool | undefined,
): CoercedArguments {
  const root = tool?.parameters ?? true;
  const members: string[] = [];
  let coerced = false;
  for (const [name, { text, isString }] of new Map(parameters.map((parameter) => [parameter.name, parameter]))) {
    const value =
      isString === undefined ? coerceText(text, propertySchema(root, name, root), root) : typed(text, isString);
    coerced ||= value.coerced;
    if (value.json !== undefined) members.push(`${JSON.stringify(name)}:${value.json}`);
  }
  return { json: `{${members.join(",")}}`, coerced };
}

function typed(text: string, isString: boolean): CoercedText {
  if (isString) return { json: JSON.stringify(text), coerced: false };
  const trimmed = text.trim();
  if (trimmed === "") return { json: undefined, coerced: false };
  const json = repairJson(trimmed);
  return { json: json ?? JSON.stringify(text), coerced: json !== trimmed };
}

/**
 * A text as a value of the first type that the schema allows and the text can be: integer, number, boolean, object, array,
 * then string. Numbers, objects and arrays keep their spelling where that is JSON; a string is the text itself.
 * @param root the schema in which local references are looked up
 */
export function coerceText(text: string, schema: JsonSchema | undefined, root: JsonSchema): CoercedText {
  const types = typesOf(schema ?? true, { root, left: maxSchemas });
  const allowsString = (types & bits.string) !== 0;
  if (types === bits.string || (types & unsaidMark) !== 0) return { json: JSON.stringify(text), coerced: false };
  const trimmed = text.trim();
  if (trimmed === "" && !allowsString) return { json: undefined, coerced: false };
  const json =
    asNumber(trimmed, types) ?? asBoolean(trimmed, types) ?? asNested(trimmed, types) ?? asNull(trimmed, types);
  if (json === undefined) return { json: JSON.stringify(text), coerced: !allowsString };
  return { json, coerced: json !== trimmed || (json === "null" && (types & bits.null) === 0) };
}

function asNumber(text: string, types: number): string | undefined {
  const allowsString = (types & bits.string) !== 0;
  // Where a string may stand, zeros in front are a code's.
  const number = (types & bits.number) === 0 || (allowsString && !isJsonNumber(text)) ? undefined : jsonNumberOf(text);
  if (number === undefined || (types & bits.number) === bits.number) return number;
  // To JSON Schema 1.0 is an integer; where a string may stand it could be a version.
  const integer = allowsString ? /^-?[0-9]+$/ : /^-?[0-9]+(?:\.0+)?$/;
  return integer.test(number) ? number : undefined;
}

function asBoolean(text: string, types: number): string | undefined {
  if ((types & bits.boolean) === 0 || text.length > 5) return undefined;
  const lower = text.toLowerCase();
  return lower === "true" || lower === "false" ? lower : undefined;
}

function asNested(text: string, types: number): string | undefined {
  if ((types & (bits.object | bits.array)) === 0 || !/^[{[(]/.test(text)) return undefined;
  const json = repairJson(text) ?? unescapedJson(text);
  const type = json?.startsWith("{") ? bits.object : json?.startsWith("[") ? bits.array : 0;
  return (types & type) !== 0 ? json : undefined;
}

/** JSON that was escaped once more, as if it stood in a string. */
function unescapedJson(text: string): string | undefined {
  if (!text.includes('\\"')) return undefined;
  try {
    return repairJson(JSON.parse(`"${text}"`) as string);
  } catch {
    return undefined;
  }
}

/** Where a string may stand, only null and Python's None mean null; "none" or "nil" may be a word. */
function asNull(text: string, types: number): string | undefined {
  if (text.length > 4) return undefined;
  const word = text.toLowerCase();
  if ((types & bits.string) === 0) return word === "null" || word === "none" || word === "nil" ? "null" : undefined;
  return (types & bits.null) !== 0 && (word === "null" || text === "None") ? "null" : undefined;
}

/** The schema of one member of objects with this schema; undefined = it is not declared. */
export function propertySchema(schema: JsonSchema, name: string, root: JsonSchema): JsonSchema | undefined {
  return find(schema, { root, left: maxSchemas }, ({ properties }) =>
    isRecord(properties) && Object.hasOwn(properties, name) ? properties[name] : undefined,
  );
}

/** The schema of the elements of arrays with this schema; undefined = none is declared. */
export function itemSchema(schema: JsonSchema, root: JsonSchema): JsonSchema | undefined {
  return find(schema, { root, left: maxSchemas }, ({ items }) => items);
}

/** Looks for a schema in another one, in what that refers to and in its alternatives. */
function find(
  schema: unknown,
  walk: Walk,
  look: (schema: Readonly<Record<string, unknown>>) => unknown,
): JsonSchema | undefined {
  if (!isRecord(schema) || walk.left-- <= 0) return undefined;
  const found = look(schema);
  if (isRecord(found) || typeof found === "boolean") return found;
  for (const other of [
    referred(schema, walk),
    ...listOf(schema.allOf),
    ...listOf(schema.anyOf),
    ...listOf(schema.oneOf),
  ]) {
    const deeper = find(other, walk, look);
    if (deeper !== undefined) return deeper;
  }
  return undefined;
}

function typesOf(schema: unknown, walk: Walk): number {
  if (schema === false) return 0;
  if (!isRecord(schema) || walk.left-- <= 0) return unsaid;
  let types = namedTypes(schema.type) & valueTypes(schema);
  const target = referred(schema, walk);
  if (target !== undefined) types &= typesOf(target, walk);
  for (const part of listOf(schema.allOf)) types &= typesOf(part, walk);
  for (const alternatives of [listOf(schema.anyOf), listOf(schema.oneOf)]) {
    if (alternatives.length > 0) types &= alternatives.reduce<number>((sum, one) => sum | typesOf(one, walk), 0);
  }
  if (types === unsaid) types = impliedType(schema);
  return schema.nullable === true && types !== unsaid ? types | bits.null : types;
}

function namedTypes(type: unknown): number {
  const names = Array.isArray(type) ? (type as unknown[]) : [type];
  let types = 0;
  for (const name of names) types |= (typeof name === "string" ? typesNamed(name) : undefined) ?? unsaid;
  return types;
}

function valueTypes(schema: Readonly<Record<string, unknown>>): number {
  const values = Array.isArray(schema.enum)
    ? (schema.enum as unknown[])
    : "const" in schema
      ? [schema.const]
      : undefined;
  if (values === undefined) return unsaid;
  let types = 0;
  for (const value of values) {
    if (value === null) types |= bits.null;
    else if (Array.isArray(value)) types |= bits.array;
    else types |= typeBits.get(typeof value) ?? 0;
  }
  return types;
}

function impliedType(schema: Readonly<Record<string, unknown>>): number {
  if (isRecord(schema.properties)) return bits.object;
  return isRecord(schema.items) ? bits.array : unsaid;
}

/** What a local reference (`#`, `#/$defs/Unit`) stands for; undefined = there is none, or it leads nowhere. */
function referred(schema: Readonly<Record<string, unknown>>, walk: Walk): unknown {
  const { $ref } = schema;
  if (typeof $ref !== "string" || !/^#(?:\/|$)/.test($ref)) return undefined;
  let at: unknown = walk.root;
  for (const part of $ref.split("/").slice(1, 32)) {
    const key = part.replaceAll("~1", "/").replaceAll("~0", "~");
    at =
      typeof at === "object" && at !== null && Object.hasOwn(at, key)
        ? (at as Record<string, unknown>)[key]
        : undefined;
  }
  return at;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
