import { validate } from "@cfworker/json-schema";
import type { JsonSchema } from "../tools.ts";
import type { CallArguments } from "./read-arguments.ts";
import { tameSchema } from "./tame-schema.ts";

/** Where and why arguments do not fit their schema. Holds words of the schema alone, none of the model's. */
export interface SchemaFault {
  /** `options.tags[]`, by the names that the schema gives; empty for the arguments as a whole. */
  readonly path: string;
  /** The keyword that failed (`type`, `required`, `enum`), or `duplicate_key`. */
  readonly keyword: string;
}

/** A tool's schema, compiled. */
export interface SchemaCheck {
  /** What is wrong with a call's arguments; undefined = nothing; `unchecked` = to find out could cost too much. */
  fault(args: CallArguments, length: number): SchemaFault | "unchecked" | undefined;
}

/** Subschemas times values that are worth a check: some 120 ms of work at the very worst, and a thousandth of it as a rule. */
const maxSteps = 300_000;
/** Characters that a rule on lengths counts in the time of one step. */
const charactersPerStep = 64;

/** Compiles a tool's schema; undefined = it cannot be checked. Never throws. */
export function compileSchemaCheck(parameters: JsonSchema): SchemaCheck | undefined {
  const tamed = tameSchema(parameters);
  if (tamed === undefined) return undefined;
  const { schema, nodes, lengthRules } = tamed;
  return {
    fault(args, length) {
      if (args.object === undefined) return { path: "", keyword: args.fault };
      const steps = nodes * args.values + (lengthRules * length) / charactersPerStep;
      if (steps > maxSteps) return "unchecked";
      try {
        const { valid, errors } = validate(args.object, schema as object, "2020-12", {});
        return valid ? undefined : firstFault(errors);
      } catch {
        // The library was given a tree of known keywords; what it cannot do is no fault of the client.
        return "unchecked";
      }
    },
  };
}

type OutputUnits = ReturnType<typeof validate>["errors"];

/** Errors that only say that one follows for a member. */
const outer = new Set(["properties", "items", "prefixItems", "additionalItems", "additionalProperties", "allOf", "if"]);

function firstFault(errors: OutputUnits): SchemaFault {
  const index = errors.findIndex(
    ({ keyword }, at) => !outer.has(keyword) || errors[at + 1] === undefined || errors[at + 1]?.keyword === "false",
  );
  const { keyword, keywordLocation } = errors[index]!;
  return { path: writtenPath(keywordLocation.slice(2).split("/").slice(0, -1)), keyword };
}

/** The members that a place in the tamed schema speaks of: `properties/tags/items` is `tags[]`. */
function writtenPath(parts: readonly string[]): string {
  let path = "";
  for (let index = 0; index < parts.length; index++) {
    const part = parts[index]!;
    if (part === "properties" || part === "dependentSchemas") {
      const name = parts[++index] ?? "";
      if (part === "properties") path += `${path === "" ? "" : "."}${plainName(name)}`;
    } else if (part === "items" || part === "prefixItems" || part === "contains" || part === "additionalItems") {
      path += "[]";
      if (/^\d+$/.test(parts[index + 1] ?? "")) index++;
    } else if (part === "additionalProperties") path += ".*";
    else if (/^(allOf|anyOf|oneOf)$/.test(part)) index++;
  }
  return path.length > 200 ? `${path.slice(0, 197)}...` : path;
}

/** Names go into messages, headers and logs. */
function plainName(name: string): string {
  return name
    .replaceAll("~1", "/")
    .replaceAll("~0", "~")
    .replaceAll(/[^\x21-\x7e]/g, "?");
}
