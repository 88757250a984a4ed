import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { kinds } from "@signalbox/backends";
import { composePolicy } from "../scan/compose-policy.ts";
import { renderPolicy } from "../scan/render-policy.ts";
import { type FoundEngine, type ScanResult, scanEngines } from "../scan/scan-engines.ts";
import { type Command, type Flags, UsageError } from "./command.ts";

const flags = {
  output: {
    type: "string",
    short: "o",
    value: "FILE",
    meaning: "Writes the policy there; to standard output unless given.",
  },
  force: { type: "boolean", default: false, meaning: "Writes over a file that exists." },
} as const satisfies Flags;

/** `signalbox scan`: a policy file for the engines that run on this host. */
export const scan: Command = {
  summary: "find engines on this host and write a policy file for them",
  usage: "scan [ADDRESS...] [--output FILE] [--force]   (default: the usual ports of this host, to standard output)",
  flags,
  exits: {
    0: "a policy was written",
    1: "no engine answers, none has a model that answers now, or the file exists",
  },
  async run(args) {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: flags,
    });
    const result = await scanOrComplain(positionals);
    for (const line of describeScan(result)) console.error(line);
    if (result.engines.length === 0) return 1;
    const draft = composePolicy(result.engines);
    if (draft.models.length === 0) {
      console.error("none of them has a model that answers now: load one, or wait until it is loaded, and scan again");
      return 1;
    }
    const policy = renderPolicy(draft, { others: result.others });
    if (values.output === undefined) {
      process.stdout.write(policy);
      return 0;
    }
    try {
      await writeFile(values.output, policy, { flag: values.force ? "w" : "wx" });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      console.error(`${values.output} exists: --force writes over it`);
      return 1;
    }
    console.error(`written to ${values.output}; check it with: signalbox check ${values.output}`);
    return 0;
  },
};

/** Scans addresses as they stand on a command line; none = the usual ports. */
export async function scanOrComplain(addresses: readonly string[]): Promise<ScanResult> {
  try {
    return await scanEngines(addresses.length === 0 ? {} : { targets: addresses });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function describeScan({ engines, others, addresses }: ScanResult): string[] {
  const looked = `looked at ${addresses.map((address) => address.replace("http://127.0.0.1:", ":")).join(" ")}`;
  if (engines.length === 0) {
    return [`no engine answers (${looked})`, ...others.map(({ address, what }) => `${address} ${what}`)];
  }
  return [looked, ...engines.map(describeEngine), ...others.map(({ address, what }) => `${address} ${what}`)];
}

function describeEngine({ kind, address, simulated, status, reason, models }: FoundEngine): string {
  const title = `${kinds[kind].title}${simulated ? " (simulated)" : ""}`;
  const what = status === "ready" ? models.map(({ id }) => id).join(", ") || "no model" : `${status}: ${reason}`;
  return `${address} is ${title}: ${what}`;
}
