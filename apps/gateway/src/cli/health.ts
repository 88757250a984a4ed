import { readFile } from "node:fs/promises";
import { get } from "node:http";
import { isIPv6 } from "node:net";
import { parseArgs } from "node:util";
import { parseAddress } from "../config/units.ts";
import { readYaml } from "../config/yaml-source.ts";
import { type Command, type Flags, UsageError } from "./command.ts";
import { configFlag } from "./common-flags.ts";

const DEFAULT_ADMIN = "127.0.0.1:9090";
const TIMEOUT_MS = 2000;
/** A listener on every address is asked on this machine's own. */
const ownAddress: Readonly<Record<string, string>> = { "0.0.0.0": "127.0.0.1", "::": "::1" };

const flags = {
  ...configFlag,
  url: { type: "string", value: "URL", meaning: "What is asked instead of `/livez` of the file's `server.admin`." },
} as const satisfies Flags;

/**
 * `signalbox health`: does the gateway of this host answer? For health checks of containers, which ask all the time: it
 * loads next to nothing, and reads no more of the policy file than where the admin listener is.
 */
export const health: Command = {
  summary: "ask whether the gateway of this host answers; the exit code says it",
  usage: "health [--config FILE] [--url URL]",
  flags,
  exits: { 0: "it answers with 200", 1: "it answers with something else, or not within 2 s" },
  async run(args) {
    const { values } = parseArgs({ args, options: flags });
    const url = values.url ?? (await livezOf(values.config));
    const problem = await whyNotLive(url);
    if (problem === undefined) return 0;
    console.error(`${url}: ${problem}`);
    return 1;
  },
};

/** Where the gateway with this policy file says that it lives. */
async function livezOf(file: string): Promise<string> {
  const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    throw new UsageError(`${file}: ${error.code === "ENOENT" ? "there is no such file" : error.message}`);
  });
  const policy = readYaml(text, process.env).value as { server?: { admin?: unknown } } | null;
  const written = String(policy?.server?.admin ?? DEFAULT_ADMIN);
  const address = parseAddress(written);
  if (address === undefined || address.port === 0)
    throw new UsageError(`${file}: server.admin is ${written}, which says no port to ask; give --url`);
  const host = ownAddress[address.host] ?? address.host;
  return `http://${isIPv6(host) ? `[${host}]` : host}:${address.port}/livez`;
}

/** Undefined = it answers with 200. */
function whyNotLive(url: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const request = get(url, { timeout: TIMEOUT_MS, agent: false }, (response) => {
      response.destroy();
      resolve(response.statusCode === 200 ? undefined : `answered with ${response.statusCode}`);
    });
    request.on("timeout", () => request.destroy(new Error(`no answer within ${TIMEOUT_MS} ms`)));
    request.on("error", (error) => resolve(error.message));
  });
}
