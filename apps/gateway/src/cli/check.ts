import { parseArgs } from "node:util";
import { checkConfig } from "../config/check.ts";
import { type Command, UsageError } from "./command.ts";

const DEFAULT_FILE = "signalbox.yaml";

/** `signalbox check`: is a policy file sound, and do its own tests pass? */
export const check: Command = {
  summary: "check a policy file and run the tests in it",
  usage: "check [FILE]   (default: signalbox.yaml)",
  async run(args) {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: { config: { type: "string", short: "c" } },
    });
    const files = values.config === undefined ? positionals : [values.config, ...positionals];
    if (files.length > 1) throw new UsageError("check takes one file");
    const { ok, output } = await checkConfig(files[0] ?? DEFAULT_FILE, process.env);
    (ok ? process.stdout : process.stderr).write(output);
    return ok ? 0 : 1;
  },
};
