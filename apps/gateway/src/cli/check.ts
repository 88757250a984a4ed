import { parseArgs } from "node:util";
import { checkConfig } from "../config/check.ts";
import { type Command, type Flags, UsageError } from "./command.ts";
import { configFlag } from "./common-flags.ts";

const { default: DEFAULT_FILE, ...config } = configFlag.config;
const flags = { config: { ...config, meaning: "The same as FILE." } } as const satisfies Flags;

/** `signalbox check`: is a policy file sound, and do its own tests pass? */
export const check: Command = {
  summary: "check a policy file and run the tests in it",
  usage: "check [FILE] [--config FILE]   (default: signalbox.yaml)",
  flags,
  exits: {
    0: "the file is sound, and its tests pass; there may be warnings",
    1: "it has errors, or a test of it fails",
  },
  async run(args) {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: flags,
    });
    const files = values.config === undefined ? positionals : [values.config, ...positionals];
    if (files.length > 1) throw new UsageError("check takes one file");
    const { ok, output } = await checkConfig(files[0] ?? DEFAULT_FILE, process.env);
    (ok ? process.stdout : process.stderr).write(output);
    return ok ? 0 : 1;
  },
};
