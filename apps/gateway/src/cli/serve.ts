import { readFile } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";
import { parseArgs } from "node:util";
import type { Config } from "../config/config.ts";
import { loadConfig } from "../config/load.ts";
import { formatError } from "../config/problems.ts";
import { watchConfig } from "../config/reload.ts";
import { type Gateway, startGateway } from "../runtime/gateway.ts";
import { type Command, UsageError } from "./command.ts";
import { configFlag } from "./common-flags.ts";

/** `signalbox serve`: the gateway, until SIGTERM or SIGINT. */
export const serve: Command = {
  summary: "run the gateway",
  usage: "serve [--config FILE]",
  flags: configFlag,
  exits: {
    0: "stopped by SIGTERM or SIGINT, and drained",
    1: "the policy file has errors, which are printed, or an address is taken",
  },
  async run(args) {
    const { values } = parseArgs({ args, options: configFlag });
    const config = await readConfig(values.config);
    if (config === undefined) return 1;
    const gateway = await startGateway({ config });
    surviveErrors(gateway);
    const { host, port } = config.server.listen;
    gateway.log.info("listening", {
      url: gateway.url,
      admin: gateway.adminUrl,
      config: values.config,
      address: `${host}:${port}`,
    });
    const watcher = watchConfig({
      path: values.config,
      env: process.env,
      current: config,
      onChange: (next) => gateway.apply(next),
      onEvent: (event) => {
        if (!event.ok) return gateway.reloadFailed(event.errors.map(formatError));
        // What is in force is what the file says again: nothing is put in force, and nothing is wrong any more.
        if (!event.changed) gateway.serving.signals.reload(true);
        if (event.needsRestart.length > 0)
          gateway.log.warn("these settings need a restart", { settings: event.needsRestart });
      },
    });
    await untilStopped(gateway);
    await watcher.close();
    return 0;
  },
};

/** Reads a config file; prints every error of it. Undefined = there were some. */
export async function readConfig(path: string): Promise<Config | undefined> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    throw new UsageError(`${path}: ${code === "ENOENT" ? "there is no such file" : String(error)}`);
  }
  const loaded = await loadConfig(text, { env: process.env, fileName: path });
  if (loaded.ok) return loaded.config;
  for (const error of loaded.errors) console.error(formatError(error));
  return undefined;
}

/** An error that no request caught is told and ends nothing: hundreds of streams may be under way beside it. */
function surviveErrors({ log }: Gateway): void {
  const tell = (error: unknown): void => {
    log.warn("an error that nobody caught", {
      error: String((error as Error | undefined)?.stack ?? error).slice(0, 2048),
    });
  };
  process.on("uncaughtException", tell);
  process.on("unhandledRejection", tell);
}

/**
 * Waits for SIGTERM or SIGINT, then drains: not ready at once, new requests taken for `drain_delay` more, then none. SIGINT
 * and a second signal go without the delay, one more signal stops at once.
 */
async function untilStopped(gateway: Gateway): Promise<void> {
  // A signal that comes between two waits must not end the process.
  for (const name of STOP_SIGNALS) process.on(name, () => {});
  const first = await stopSignal();
  const { drainDelayMs } = gateway.serving.config.server;
  gateway.retire();
  gateway.log.info("draining", { in_flight: gateway.serving.signals.inFlight, delay_ms: drainDelayMs });
  if (first === "SIGTERM") await Promise.race([setTimeout(drainDelayMs, undefined, { ref: false }), stopSignal()]);
  await Promise.race([gateway.drain(), stopSignal().then(() => gateway.close())]);
}

const STOP_SIGNALS = ["SIGTERM", "SIGINT"] as const;

function stopSignal(): Promise<(typeof STOP_SIGNALS)[number]> {
  return new Promise((resolve) => {
    for (const name of STOP_SIGNALS) process.once(name, () => resolve(name));
  });
}
