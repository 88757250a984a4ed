import { stat } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import type { Config } from "../config/config.ts";
import { wordsOf } from "../runtime/words-of.ts";
import { createConnection, type RedisConnection } from "../store/connection.ts";
import { DAY_MS, type UsageEntry } from "../usage/usage-entry.ts";
import { type Range, readUsageFile, readUsageFolder } from "../usage/usage-files.ts";
import { readUsageStreams } from "../usage/usage-streams.ts";
import { type Grouping, groupings, UsageSums } from "../usage/usage-sums.ts";
import { type Command, type Flags, UsageError } from "./command.ts";
import { configFlag, jsonFlag } from "./common-flags.ts";
import { readConfig } from "./serve.ts";
import { usageCsv, usageJson, usageTable } from "./usage-report.ts";

/** How long Redis may take to answer at all. */
const CONNECT_MS = 5000;

const { default: DEFAULT_FILE, ...config } = configFlag.config;
const moment = "`7d`, `12h`, a date or an ISO time";
const flags = {
  by: {
    type: "string",
    default: "team,model",
    value: "team,model",
    meaning: `What there is a row for each of: any of ${Object.keys(groupings)
      .map((name) => `\`${name}\``)
      .join(", ")}.`,
  },
  since: { type: "string", value: "7d", meaning: `From when: ${moment}; all there is unless given.` },
  until: { type: "string", value: "DATE", meaning: `Until when: ${moment}; now unless given.` },
  team: { type: "string", multiple: true, value: "T", meaning: "This team alone; may be given again." },
  csv: { type: "boolean", default: false, meaning: "Prints CSV, for spreadsheets." },
  ...jsonFlag,
  config: {
    ...config,
    meaning: `The policy file that names the folder or Redis with the ledger; \`${DEFAULT_FILE}\` unless files are given.`,
  },
} as const satisfies Flags;

/** `signalbox usage`: what was used, from the ledger. */
export const usage: Command = {
  summary: "say who used how much: tokens, cost and GPU time",
  usage: "usage [--by team,model] [--since 7d] [--until DATE] [--team T] [--csv | --json] [--config FILE | FILE...]",
  flags,
  exits: { 0: "printed", 1: "usage is not written down, or Redis does not answer" },
  async run(args) {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: flags,
    });
    if (values.csv && values.json) throw new UsageError("give --csv or --json, not both");
    if (values.config !== undefined && positionals.length > 0) throw new UsageError("give --config or files, not both");
    const by = groupingsIn(values.by);
    const range = rangeOf(values.since, values.until, Date.now());
    const sums = new UsageSums(by);
    const teams = new Set<string>(values.team);
    const onEntry = (entry: UsageEntry): void => {
      if (teams.size === 0 || teams.has(entry.team)) sums.add(entry);
    };
    const code =
      positionals.length > 0
        ? await readPaths(positionals, range, onEntry)
        : await readLedger(values.config ?? DEFAULT_FILE, range, onEntry);
    if (code === 0) console.log((values.json ? usageJson : values.csv ? usageCsv : usageTable)(sums, by));
    return code;
  },
};

function groupingsIn(text: string): Grouping[] {
  const names = text.split(",").filter((name) => name !== "");
  for (const name of names) {
    if (!Object.hasOwn(groupings, name))
      throw new UsageError(`--by knows ${Object.keys(groupings).join(", ")}, not «${name}»`);
  }
  return [...new Set(names)] as Grouping[];
}

/** @throws UsageError when nothing lies between the two. */
function rangeOf(since: string | undefined, until: string | undefined, now: number): Range {
  const from = since === undefined ? 0 : momentOf("--since", since, now);
  const to = until === undefined ? now + DAY_MS : momentOf("--until", until, now);
  if (from >= to) throw new UsageError("--since lies behind --until: nothing is between them");
  return { from, until: to };
}

const agoMs = { m: 60_000, h: 3_600_000, d: DAY_MS } as const;

function momentOf(name: string, text: string, now: number): number {
  const ago = /^(\d{1,5})([mhd])$/.exec(text);
  if (ago) return now - Number(ago[1]) * agoMs[ago[2] as keyof typeof agoMs];
  const at = /^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(at)) throw new UsageError(`${name} needs 7d, 12h, 2026-11-01 or an ISO time, not «${text}»`);
  return at;
}

type OnEntry = (entry: UsageEntry) => void;

async function readPaths(paths: readonly string[], range: Range, onEntry: OnEntry): Promise<number> {
  const torn = new Map<string, number>();
  const onTorn = (file: string): void => void torn.set(file, (torn.get(file) ?? 0) + 1);
  for (const path of paths) {
    const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
      const why = error.code === "ENOENT" ? "there is no such file or folder" : error.message;
      throw new UsageError(`${path}: ${why}`);
    });
    await (found.isDirectory() ? readUsageFolder : readUsageFile)(path, range, { onEntry, onTorn });
  }
  for (const [file, lines] of torn) console.error(`${file}: ${lines} lines are no entries and were left out`);
  return 0;
}

async function readLedger(file: string, range: Range, onEntry: OnEntry): Promise<number> {
  const config = await readConfig(file);
  if (config === undefined) return 1;
  const { folder } = config.usage;
  if (folder !== undefined) return readPaths([folder], range, onEntry);
  if (config.store === "memory") {
    console.error(`${file}: usage is not written down: name a usage.folder, or share a Redis`);
    return 1;
  }
  return readRedis(config, config.store, range, onEntry);
}

async function readRedis(
  config: Config,
  store: Exclude<Config["store"], "memory">,
  range: Range,
  onEntry: OnEntry,
): Promise<number> {
  const connection = createConnection(store);
  // Streams that are no longer kept are not asked for.
  const from = Math.max(range.from, Date.now() - (config.usage.keepDays + 1) * DAY_MS);
  try {
    await untilConnected(connection);
    await readUsageStreams(connection, { from, until: range.until }, onEntry);
    return 0;
  } catch (error) {
    console.error(`Redis: ${wordsOf(error)}`);
    return 1;
  } finally {
    connection.close();
  }
}

async function untilConnected(connection: RedisConnection): Promise<void> {
  const until = performance.now() + CONNECT_MS;
  while (!connection.connected) {
    if (performance.now() > until) throw new Error(connection.trouble ?? `no connection within ${CONNECT_MS} ms`);
    await sleep(20);
  }
}
