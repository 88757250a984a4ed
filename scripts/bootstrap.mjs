// Runs on any Node >= 20: brings pnpm, the dependencies and Node 24 (a dependency), then runs the task under pnpm.
import { spawnSync } from "node:child_process";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

const PNPM = "pnpm@12.21.0";
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const [task, ...rest] = process.argv.slice(2);

const tasks = {
  demo: [["signalbox", "demo", ...rest]],
  test: [["check"], ["vitest", ...rest]],
};

function pnpm(args) {
  const { status, signal } = spawnSync("npx", ["--yes", PNPM, ...args], { cwd: root, stdio: "inherit" });
  if (signal) process.exit(130);
  return status ?? 1;
}

if (!(task in tasks)) {
  console.error(`bootstrap: unknown task «${task}», one of: ${Object.keys(tasks).join(", ")}`);
  process.exit(2);
}
const frozen = process.env.CI ? ["--frozen-lockfile"] : ["--prefer-frozen-lockfile"];
let status = pnpm(["install", "--reporter=append-only", "--loglevel=warn", ...frozen]);
for (const args of tasks[task]) {
  if (status === 0) status = pnpm(["--silent", "run", ...args]);
}
process.exit(status);
