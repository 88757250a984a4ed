import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { whyNoPrometheus } from "../dashboards/prometheus.ts";
import { machine, writeJson } from "../harness.ts";
import { type Check, playOutage } from "./live.ts";

const usage = "usage: pnpm alerts:verify [--json FILE]";
const folder = fileURLToPath(new URL("../../deploy/prometheus/", import.meta.url));

function readOptions() {
  try {
    return parseArgs({
      options: { json: { type: "string" } },
      args: process.argv.slice(2).filter((argument) => argument !== "--"),
    }).values;
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n${usage}`);
    process.exit(2);
  }
}

const program = "promtool";

function promtool(...args: string[]): Check {
  const { status, stdout, stderr } = spawnSync(program, args, { cwd: folder, encoding: "utf8" });
  return { what: `promtool ${args.join(" ")}`, ok: status === 0, found: status === 0 ? "" : stdout + stderr };
}

function tell(check: Check): Check {
  console.log(`${check.ok ? "ok    " : "FAILED"}  ${check.what}${check.found === "" ? "" : `\n${check.found}`}`);
  return check;
}

const { json } = readOptions();
const missing = whyNoPrometheus();
if (missing !== undefined) {
  console.error(missing);
  process.exit(2);
}
console.log(`alerts, on ${machine()}, Node ${process.version}`);
const checks = [
  tell(promtool("check", "rules", "recording.rules.yml", "alerts.rules.yml")),
  tell(promtool("check", "config", "prometheus.yml")),
  ...readdirSync(`${folder}tests`).map((file) => tell(promtool("test", "rules", `tests/${file}`))),
  ...(await playOutage()).map(tell),
];
const failed = checks.filter(({ ok }) => !ok).length;
writeJson(json, { checks, ok: failed === 0 });
console.log(`${checks.length - failed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
