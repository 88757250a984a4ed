import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { type GatewayOptions, type GatewayProcess, startGatewayProcess } from "../faults/gateway-process.ts";

/** A gateway process that is closed when its variable goes out of scope. */
export interface ReadyGateway extends GatewayProcess, AsyncDisposable {
  /** Of the public listener. */
  readonly port: number;
}

/** A key as a policy holds it. */
export const hashOf = (key: string): string => `sha256:${createHash("sha256").update(key).digest("hex")}`;

/** Starts a gateway and waits until it is ready. @throws Error with what it said when it ends before that. */
export async function startReadyGateway(options: GatewayOptions): Promise<ReadyGateway> {
  const gateway = await startGatewayProcess(options);
  const end = performance.now() + 10_000;
  while ((await fetch(`${gateway.adminUrl}/readyz`)).status !== 200) {
    if (performance.now() > end) throw new Error("the gateway was not ready within 10 s");
    await sleep(10);
  }
  const port = Number(new URL(gateway.url).port);
  return Object.defineProperties(
    {},
    {
      ...Object.getOwnPropertyDescriptors(gateway),
      port: { value: port },
      [Symbol.asyncDispose]: { value: () => gateway.close() },
    },
  ) as ReadyGateway;
}
