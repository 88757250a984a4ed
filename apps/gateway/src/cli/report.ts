import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { parseDuration } from "../config/units.ts";
import { MOST_MINUTES } from "../report/minute-counts.ts";
import { composeReport, type Report } from "../report/report.ts";
import { reportHtml } from "../report/report-html.ts";
import { reportText } from "../report/report-text.ts";
import { AdminError, createAdminClient, readAdminToken } from "./admin-client.ts";
import { type Command, type Flags, UsageError } from "./command.ts";
import { adminsFlag, adminsOf } from "./common-flags.ts";

const formats = {
  text: reportText,
  json: (one: Report) => JSON.stringify(one, null, 2),
  html: reportHtml,
} as const satisfies Record<string, (one: Report) => string>;

const flags = {
  since: {
    type: "string",
    default: "60m",
    value: "60m",
    meaning: "How far back it goes: minutes or hours, a day at most.",
  },
  format: {
    type: "string",
    default: "text",
    value: "text",
    meaning: "`text` of 100 columns, `json`, or `html`: one page, to be mailed.",
  },
  output: { type: "string", short: "o", value: "FILE", meaning: "Writes it there; to standard output unless given." },
  ...adminsFlag,
} as const satisfies Flags;

/** `signalbox report`: how the pool fared. */
export const report: Command = {
  summary: "say how the pool fared: times, errors, tokens, shares, cost, alerts and advice",
  usage: "report [--since 60m] [--format text|json|html] [--output FILE] [--admin URL]... [--token-file FILE]",
  flags,
  exits: { 0: "the report was written", 1: "no gateway answers, or the file cannot be written" },
  async run(args) {
    const { values } = parseArgs({ args, options: flags });
    const minutes = Math.ceil((parseDuration(values.since) ?? 0) / 60_000);
    if (minutes < 1 || minutes > MOST_MINUTES)
      throw new UsageError(`--since ${values.since}: expected such as 60m or 12h, 24h at most`);
    if (!Object.hasOwn(formats, values.format))
      throw new UsageError(`--format knows ${Object.keys(formats).join(", ")}, not «${values.format}»`);
    const token = await readAdminToken(values["token-file"]);
    try {
      const asked = adminsOf(values.admin).map((admin) => createAdminClient(admin, token).report(minutes));
      const text = formats[values.format as keyof typeof formats](composeReport(await Promise.all(asked), minutes));
      if (values.output === undefined) console.log(text.trimEnd());
      else await writeFile(values.output, `${text.trimEnd()}\n`);
      return 0;
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (!(error instanceof AdminError) && code === undefined) throw error;
      console.error(message);
      return 1;
    }
  },
};
