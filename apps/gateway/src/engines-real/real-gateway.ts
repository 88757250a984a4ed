import { loadConfig } from "../config/load.ts";
import { formatError } from "../config/problems.ts";
import { type Gateway, startGateway } from "../runtime/gateway.ts";

/** Starts a gateway on free ports with this policy; `version` and `server` are put before it. Throws with the policy's errors. */
export async function startRealGateway(policy: string): Promise<Gateway> {
  const server = 'server: { listen: "127.0.0.1:0", admin: "127.0.0.1:0", log: silent }';
  const loaded = await loadConfig(`version: 1\n${server}\n${policy}`, { env: {}, fileName: "real.yaml" });
  if (!loaded.ok) throw new Error(loaded.errors.map(formatError).join("\n"));
  return startGateway({ config: loaded.config });
}
