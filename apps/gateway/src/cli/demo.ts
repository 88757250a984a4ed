import { parseArgs } from "node:util";
import { banner } from "../demo/banner.ts";
import { type FreePort, findFreePort } from "../demo/free-port.ts";
import { type DemoPool, foundPool, portNote, simulatedDemoPool } from "../demo/pool.ts";
import { type Gateway, startGateway } from "../runtime/gateway.ts";
import { version } from "../runtime/version.ts";
import { createRequestLog } from "../signals/request-log.ts";
import { type Command, type Flags, UsageError } from "./command.ts";
import { scanOrComplain } from "./scan.ts";

const flags = {
  simulated: { type: "boolean", default: false, meaning: "Simulates engines, whatever runs here." },
  port: {
    type: "string",
    default: "8080",
    value: "N",
    meaning: "Where the gateway begins to look for a free port.",
  },
  "admin-port": {
    type: "string",
    default: "9090",
    value: "N",
    meaning: "The same for its admin listener.",
  },
  "any-port": { type: "boolean", default: false, meaning: "Takes any free port for everything." },
} as const satisfies Flags;

/** `signalbox demo`: a gateway in front of the engines of this host, or of simulated ones, until Ctrl-C. */
export const demo: Command = {
  summary: "try it: a gateway in front of the engines of this host, or of four simulated ones",
  usage: "demo [ENGINE-ADDRESS...] [--simulated] [--port 8080] [--admin-port 9090] [--any-port]",
  flags,
  exits: {
    0: "stopped by SIGTERM or SIGINT",
    1: "no port is free, or an engine could not be started",
  },
  async run(args) {
    const options = readOptions(args);
    const stopped = stopSignal();
    let pool: DemoPool | undefined;
    let gateway: Gateway | undefined;
    try {
      const reserved = new Set<number>();
      const [port, adminPort] = [
        await findFreePort(options.port, reserved),
        await findFreePort(options.adminPort, reserved),
      ];
      pool = await choosePool(options, reserved);
      const config = await pool.config(`127.0.0.1:${port.port}`, `127.0.0.1:${adminPort.port}`);
      gateway = await startGateway({ config, log: createRequestLog({ form: "pretty" }) });
      await gateway.probed;
      const { url, adminUrl } = gateway;
      const portNotes = [...notesOf(port, "the gateway", url), ...notesOf(adminPort, "its admin listener", adminUrl)];
      console.log(banner({ version, pool, config, url, adminUrl, portNotes }));
      await stopped;
      console.log("\nstopping");
    } finally {
      await gateway?.close();
      await pool?.stop();
    }
    return 0;
  },
};

interface DemoOptions {
  readonly addresses: readonly string[];
  readonly simulated: boolean;
  readonly anyPort: boolean;
  readonly port: number;
  readonly adminPort: number;
}

function readOptions(args: string[]): DemoOptions {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: flags,
  });
  const anyPort = values["any-port"];
  const port = (name: "port" | "admin-port"): number => {
    const number = Number(values[name]);
    if (!Number.isInteger(number) || number < 0 || number > 65_535)
      throw new UsageError(`--${name}: «${values[name]}» is no port`);
    return anyPort ? 0 : number;
  };
  return {
    addresses: positionals,
    simulated: values.simulated,
    anyPort,
    port: port("port"),
    adminPort: port("admin-port"),
  };
}

/** Engines that run already, or simulated ones. */
async function choosePool({ addresses, simulated, anyPort }: DemoOptions, reserved: Set<number>): Promise<DemoPool> {
  const found = simulated ? undefined : foundPool(await scanOrComplain(addresses));
  if (found !== undefined) return found;
  return simulatedDemoPool({
    because: simulated
      ? "Engines that run here were not looked for."
      : "No engine with a model was found on this host.",
    anyPort,
    reserved,
    onGone: ({ name, title, pid }, comeBack) => {
      console.log(`! ${name}, the simulated ${title}, is gone (process ${pid}). To bring it back: ${comeBack}`);
    },
  });
}

function notesOf({ taken }: FreePort, who: string, url: string): string[] {
  return taken.map((port) => portNote(port, who, url));
}

/** Resolves at the first SIGINT or SIGTERM; none of them ends the process by itself from now on. */
function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    process.on("SIGINT", resolve);
    process.on("SIGTERM", resolve);
  });
}
