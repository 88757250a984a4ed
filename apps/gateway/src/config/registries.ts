export { findDeadRules } from "../../../../packages/router/src/dead-rules.ts";
export { decide } from "../../../../packages/router/src/decide.ts";
export { comparisons, complexities } from "../../../../packages/router/src/policy.ts";
export { strategyNames } from "../../../../packages/router/src/strategies.ts";
