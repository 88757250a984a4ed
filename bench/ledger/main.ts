import { parseArgs } from "node:util";
import { formatCost } from "../../apps/gateway/src/usage/usage-sums.ts";
import { host, writeJson } from "../harness.ts";
import { table } from "../rounds.ts";
import { type MonthResult, month, type Sum, type Where } from "./month.ts";

const usage = "usage: pnpm bench:ledger [redis|files]... [--seconds 40] [--seed 1] [--json FILE]";
const places = ["redis", "files"] as const satisfies readonly Where[];

function readOptions() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        seconds: { type: "string", default: "40" },
        seed: { type: "string", default: "1" },
        json: { type: "string" },
      },
      args: process.argv.slice(2).filter((argument) => argument !== "--"),
    });
    const unknown = positionals.find((name) => !(places as readonly string[]).includes(name));
    if (unknown !== undefined) throw new Error(`usage is not kept in «${unknown}»`);
    const [seconds, seed] = [Number(values.seconds), Number(values.seed)];
    if (!(seconds >= 5)) throw new Error("--seconds is a number of at least 5");
    if (!Number.isInteger(seed)) throw new Error("--seed is a whole number");
    return { seconds, seed, json: values.json, where: (positionals.length > 0 ? positionals : places) as Where[] };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n${usage}`);
    process.exit(2);
  }
}

function rowsOf({ counted, exported }: MonthResult): string[][] {
  const cells = (sum: Sum | undefined): string[] =>
    sum === undefined
      ? ["-", "-", "-", "-"]
      : [String(sum.requests), String(sum.input), String(sum.output), formatCost(sum.cost)];
  const keys = [...new Set([...Object.keys(counted), ...Object.keys(exported)])].sort();
  return keys.flatMap((key) => [
    [`${key}, as the clients count`, ...cells(counted[key])],
    [`${key}, as the ledger says`, ...cells(exported[key])],
  ]);
}

const plain = (sums: Readonly<Record<string, Sum>>): object =>
  Object.fromEntries(Object.entries(sums).map(([key, sum]) => [key, { ...sum, cost: formatCost(sum.cost) }]));

const { seconds, seed, json, where } = readOptions();
console.log(`a month of usage in ${seconds} s, seed ${seed}, on ${host()}, Node ${process.version}`);
const results: Record<string, object> = {};
let ok = true;
for (const place of where) {
  const result = await month({ where: place, seconds, seed });
  ok &&= result.ok;
  const { replicas, sent, refused, unexpected, days, bytesPerEntry, awaySeconds, counted, exported } = result;
  const away = place === "redis" ? `, Redis away for ${awaySeconds} s` : "";
  const requests = Object.values(sent).reduce((sum, count) => sum + count, 0);
  console.log(`\n${place}: ${replicas} gateways, ${requests} requests over ${days} days${away}`);
  console.log(
    `  ${Object.entries(sent)
      .map(([act, count]) => `${count} ${act}`)
      .join(", ")}; ${refused} refused`,
  );
  console.log(`${table([["", "requests", "input", "output", "cost"], ...rowsOf(result)])}`);
  for (const one of unexpected) console.log(`  ${one}`);
  console.log(`  ${bytesPerEntry} bytes an entry: ${result.ok ? "PASS, the same to the token" : "FAIL"}`);
  results[place] = { ...result, counted: plain(counted), exported: plain(exported) };
}
writeJson(json, { seconds, seed, results, ledger_exact: ok });
process.exit(ok ? 0 : 1);
