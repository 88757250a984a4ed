import { parseArgs } from "node:util";
import { host, writeJson } from "../harness.ts";
import { whyNoPrometheus } from "./prometheus.ts";
import { committedDashboards, type Verdict, verify } from "./verify.ts";

const usage = `pnpm dashboards:verify [--json FILE]

Every query of every dashboard, alert and recording rule against a real Prometheus that scrapes two gateways under load.`;

/** Fewer would mean that queries were not found. */
const FEWEST = 60;

function lineOf({ what, count, max, problem }: Verdict): string {
  if (problem !== undefined) return `FAIL  ${what}: ${problem}`;
  const highest = max === undefined ? "" : `, highest ${Number(max.toPrecision(3))}`;
  return `ok    ${what}: ${count}${highest}`;
}

function readArguments(): { json?: string } {
  try {
    const args = process.argv.slice(2).filter((argument) => argument !== "--");
    return parseArgs({ args, options: { json: { type: "string" } } }).values;
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n\n${usage}`);
    process.exit(2);
  }
}

const { json } = readArguments();
const missing = whyNoPrometheus();
if (missing !== undefined) {
  console.error(missing);
  process.exit(1);
}
const began = performance.now();
console.log(`dashboards:verify on ${host()}, Node ${process.version}`);
const verdicts = await verify({
  dashboards: committedDashboards(),
  say: (what) => console.log(`${((performance.now() - began) / 1000).toFixed(0).padStart(4)} s  ${what}`),
});
for (const verdict of verdicts) console.log(lineOf(verdict));
const still = verdicts.filter(({ max }) => max === 0);
console.log(`0 all the time: ${still.map(({ what }) => what).join("; ") || "none"}`);
const failed = verdicts.filter(({ problem }) => problem !== undefined).length;
const passed = verdicts.length - failed;
if (verdicts.length < FEWEST) console.log(`only ${verdicts.length} queries were found, of at least ${FEWEST}`);
writeJson(json, { seconds: Math.round((performance.now() - began) / 1000), passed, failed, verdicts });
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed > 0 || verdicts.length < FEWEST ? 1 : 0);
