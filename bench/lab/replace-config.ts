import { renameSync, writeFileSync } from "node:fs";
import { type GatewayOptions, type GatewayProcess, policyText } from "../faults/gateway-process.ts";

/** Replaces the policy file at once, as a careful editor does; it is taken up when it is seen. */
export function replaceConfig({ configFile }: GatewayProcess, config: GatewayOptions["config"]): void {
  writeFileSync(`${configFile}.next`, policyText(config));
  renameSync(`${configFile}.next`, configFile);
}
