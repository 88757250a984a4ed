import { z } from "zod";
import { headerKey } from "./condition-schema.ts";
import type { Unit } from "./units.ts";

/** What the reference says of one key of the policy file. */
export interface Setting {
  /** Such as `server.timeouts.idle`, `models.<name>.on[].backend`. */
  readonly path: string;
  /** The form of the value: `duration`, `text or list`, or the words that may stand there. */
  readonly value: string;
  /** As it is written in a file; `required`, or `-` where there is none. */
  readonly fallback: string;
  /** Markdown, with links as they are in docs/; undefined where the schema has no words, which a test refuses. */
  readonly meaning: string | undefined;
}

/** JSON Schema with what we note beside it: `unit`, and `value` where the form of a value cannot be told from its type. */
interface Node {
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, Node>>;
  readonly unit?: Unit;
  readonly value?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly string[];
  readonly anyOf?: readonly Node[];
  readonly properties?: Readonly<Record<string, Node>>;
  readonly additionalProperties?: boolean | Node;
  readonly items?: Node;
  readonly required?: readonly string[];
}

/** Every key that a policy file can hold, in the order of its schema. Mappings with known keys are given by their keys. */
export function settingsOf(file: z.ZodType): readonly Setting[] {
  const schema = z.toJSONSchema(file, { io: "input" }) as Node;
  return within(schema, "", schema.$defs ?? {});
}

function within(node: Node, path: string, shared: Readonly<Record<string, Node>>): Setting[] {
  return Object.entries(node.properties ?? {}).flatMap(([key, member]) => {
    const child = path === "" ? key : `${path}.${key === headerKey ? "header.<name>" : key}`;
    // A `not` holds what its rule's `when` may.
    const named = key === "not" ? undefined : member.$ref?.replace("#/$defs/", "");
    if (named !== undefined) return within(shared[named] as Node, child, shared);
    const [suffix, mapping] = mappingIn(member) ?? [];
    if (mapping !== undefined) return within(mapping, `${child}${suffix}`, shared);
    const setting: Setting = {
      path: child,
      value: formOf(member),
      fallback: fallbackOf(member, node.required?.includes(key) ?? false),
      meaning: member.description,
    };
    // A text or a mapping: both have rows.
    const other = member.anyOf?.[0]?.type === "string" ? member.anyOf.find(hasKnownKeys) : undefined;
    return other === undefined ? [setting] : [setting, ...within(other, child, shared)];
  });
}

/** The mapping with known keys that a value is, or is a list of, or has under names; undefined when it is a leaf. */
function mappingIn(node: Node): [suffix: string, mapping: Node] | undefined {
  if (hasKnownKeys(node)) return ["", node];
  if (node.items !== undefined && hasKnownKeys(node.items)) return ["[]", node.items];
  const each = node.additionalProperties;
  return typeof each === "object" && hasKnownKeys(each) ? [".<name>", each] : undefined;
}

/** Messages and tools are the API's own: their keys are not ours to list. */
function hasKnownKeys(node: Node): boolean {
  return node.properties !== undefined && node.additionalProperties === false;
}

function formOf(node: Node): string {
  if (node.value !== undefined) return node.value;
  if (node.unit !== undefined) return node.unit === "percent" ? "percentage" : node.unit;
  if (node.const !== undefined) return `\`${node.const}\``;
  if (node.enum !== undefined) return node.enum.map((word) => `\`${word}\``).join(", ");
  if (node.anyOf !== undefined) return [...new Set(node.anyOf.map(shortly))].join(" or ");
  if (node.items?.enum !== undefined) return `list of ${formOf(node.items)}`;
  return shortly(node);
}

const typeWords: Readonly<Record<string, string>> = {
  string: "text",
  number: "number",
  integer: "whole number",
  boolean: "true, false",
  array: "list",
};

/** A condition (`$ref`) and everything else without a type of its own is a mapping. */
function shortly(node: Node): string {
  return node.unit ?? typeWords[node.type ?? "object"] ?? "mapping";
}

function fallbackOf(node: Node, isRequired: boolean): string {
  if (typeof node.default === "object" || node.default === undefined) return isRequired ? "required" : "-";
  return `\`${node.default}\``;
}
