import { execFile, execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);

const CLIENT_VERSION = "3.52.0";
const RUN_MS = 60_000;
const cacheFolder = fileURLToPath(new URL("../../../../node_modules/.cache/", import.meta.url));

/** Why the official Python client cannot be run here; undefined = it can. */
export function missingPython(): string | undefined {
  try {
    execFileSync("python3", ["-c", "import venv, ensurepip"], { stdio: "ignore" });
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT" ? "no python3 on PATH" : "python3 has no venv module";
  }
}

/**
 * Runs a script beside this file in a Python that has the client, with these variables, for at most a minute. Resolves
 * with the JSON that it prints. The first run installs the client.
 */
export async function runPython(script: string, env: Readonly<Record<string, string>>): Promise<unknown> {
  const file = fileURLToPath(new URL(script, import.meta.url));
  const { stdout } = await run(await preparePython(), [file], {
    env: { PATH: process.env.PATH, NO_PROXY: "127.0.0.1", PYTHONUTF8: "1", ...env },
    timeout: RUN_MS,
    maxBuffer: 16 * 1024 * 1024,
  });
  return JSON.parse(stdout);
}

/** A Python with the client in an environment of its own, made once per version. */
async function preparePython(): Promise<string> {
  const environment = path.join(cacheFolder, `openai-python-${CLIENT_VERSION}`);
  const python = path.join(environment, "bin", "python");
  if (existsSync(python)) return python;
  // Made beside its place and moved there whole, so that what is there is complete.
  const draft = `${environment}-${process.pid}`;
  await mkdir(cacheFolder, { recursive: true });
  await run("python3", ["-m", "venv", draft]);
  const install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", `openai==${CLIENT_VERSION}`];
  await run(path.join(draft, "bin", "python"), install);
  await rename(draft, environment).catch(() => rm(draft, { recursive: true, force: true }));
  return python;
}
