export type { CallOutcome, ToolCall } from "./call.ts";
export { type DeclaredTool, type JsonSchema, readTools, type ToolSet } from "./tools.ts";
