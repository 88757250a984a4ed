export type { CallOutcome, ToolCall } from "./call.ts";
export type { CallWatch } from "./choice.ts";
export { type Detection, type DialectReading, detectDialect, whyNot } from "./detect-dialect.ts";
export { type DialectName, dialectNames, dialects, findDialect } from "./dialects.ts";
export type { DenyCondition, DenyRule } from "./guard/deny-rule.ts";
export {
  combinePolicies,
  createGuard,
  describeViolation,
  type Guard,
  type GuardAction,
  type GuardPolicy,
  type GuardVerdict,
  guardActions,
  ruleName,
  stricter,
  type Violation,
} from "./guard/guard.ts";
export { createSchemaCache, type DeclaredTools, type SchemaCache } from "./guard/schema-cache.ts";
export type { SchemaFault } from "./guard/schema-check.ts";
export { maskReply } from "./mask-reply.ts";
export { Normaliser, type NormaliserOptions } from "./normaliser.ts";
export type { RawChoice } from "./raw-choice.ts";
export { type DeclaredTool, type JsonSchema, readTools, type ToolSet } from "./tools.ts";
