import type { ToolSet } from "./tools.ts";

const NAMESPACE = "functions.";

/**
 * The name of the tool that an engine means: without the harmony tokens that some leave on it
 * (`exec<|constrain|>json`), and as it was declared where it says `functions.exec` or `functions.exec:0`.
 * Empty when nothing of a name is left.
 */
export function engineName(raw: string, tools: ToolSet): string {
  if (tools.has(raw)) return raw;
  const token = raw.indexOf("<|");
  const name = (token < 0 ? raw : raw.slice(0, token)).trim();
  if (tools.has(name) || !name.startsWith(NAMESPACE)) return name;
  const rest = name.slice(NAMESPACE.length);
  return [rest, rest.replace(/:\d+$/, "")].find((bare) => tools.has(bare)) ?? name;
}
