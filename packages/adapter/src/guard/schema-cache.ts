import { hash } from "node:crypto";
import type { ToolSet } from "../tools.ts";
import { compileSchemaCheck, type SchemaCheck } from "./schema-check.ts";

/** The tools of a request, ready for calls to be checked against. */
export interface DeclaredTools {
  /** Is there a tool of this name? */
  declares(name: string): boolean;
  /** Its schema; undefined = it declares none. `unchecked` = it declares one that cannot be checked. */
  schemaOf(name: string): SchemaCheck | "unchecked" | undefined;
}

/** Gives the tools of a request; `bytes` is the `tools` member of its body, as it came. */
export type SchemaCache = (tools: ToolSet, bytes: Uint8Array) => DeclaredTools;

/** Most tools arrays, and bytes of them all, that a cache keeps. */
const maxEntries = 512;
const maxBytes = 8 * 1024 * 1024;

/**
 * A cache of compiled schemas, one entry for each tools array, the least recently used dropped first. A schema is compiled
 * when the first call of its tool is checked. Arrays over 1 MiB are not kept.
 */
export function createSchemaCache(): SchemaCache {
  const entries = new Map<string, { readonly tools: DeclaredTools; readonly size: number }>();
  let kept = 0;
  return (tools, bytes) => {
    if (bytes.length > maxBytes / 8) return declaredTools(tools);
    const key = hash("sha256", bytes, "base64");
    const entry = entries.get(key) ?? { tools: declaredTools(tools), size: bytes.length };
    if (entries.delete(key)) kept -= entry.size;
    entries.set(key, entry);
    kept += entry.size;
    for (const [oldest, { size }] of entries) {
      if (entries.size <= maxEntries && kept <= maxBytes) break;
      entries.delete(oldest);
      kept -= size;
    }
    return entry.tools;
  };
}

/** The tools of one request, outside of any cache. */
export function declaredTools(tools: ToolSet): DeclaredTools {
  const compiled = new Map<string, SchemaCheck | "unchecked">();
  return {
    declares: (name) => tools.has(name),
    schemaOf(name) {
      const parameters = tools.get(name)?.parameters;
      if (parameters === undefined) return undefined;
      const check = compiled.get(name) ?? compileSchemaCheck(parameters) ?? "unchecked";
      compiled.set(name, check);
      return check;
    },
  };
}
