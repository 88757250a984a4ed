export { comparisons, complexities } from "../../../../packages/router/src/policy.ts";
export { strategyNames } from "../../../../packages/router/src/strategies.ts";
