/** A JSON Schema as a tool declares it; `true` and `false` are schemas, too. */
export type JsonSchema = Readonly<Record<string, unknown>> | boolean;

/** One function that the request declares. */
export interface DeclaredTool {
  readonly name: string;
  /** JSON Schema of the arguments; undefined = the tool declares none. */
  readonly parameters: JsonSchema | undefined;
}

/** The functions of one request, by name. */
export type ToolSet = ReadonlyMap<string, DeclaredTool>;

/** The tools of a request that declares none. */
export const noTools: ToolSet = new Map();

/** Reads the `tools` of a chat request. What is not a function with a name is left out. */
export function readTools(tools: unknown): ToolSet {
  if (!Array.isArray(tools) || tools.length === 0) return noTools;
  const set = new Map<string, DeclaredTool>();
  for (const tool of tools as unknown[]) {
    const declared = (tool as { function?: { name?: unknown; parameters?: unknown } } | null)?.function;
    if (typeof declared?.name !== "string" || declared.name === "") continue;
    const { parameters } = declared;
    const isSchema = typeof parameters === "boolean" || (typeof parameters === "object" && parameters !== null);
    set.set(declared.name, { name: declared.name, parameters: isSchema ? (parameters as JsonSchema) : undefined });
  }
  return set;
}
