export type { CallOutcome, ToolCall } from "./call.ts";
export { dialectNames, findDialect } from "./dialect-names.ts";
export { type DeclaredTool, type JsonSchema, readTools, type ToolSet } from "./tools.ts";
