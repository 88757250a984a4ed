import { execFile, execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);

/** The official client, as pip names it. */
const CLIENT = "openai==3.52.0";
const RUN_MS = 60_000;
const cacheFolder = fileURLToPath(new URL("../../../../node_modules/.cache/", import.meta.url));

/** Why Python and its packages cannot be used here; undefined = they can. */
export function missingPython(): string | undefined {
  try {
    execFileSync("python3", ["-c", "import venv, ensurepip"], { stdio: "ignore" });
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT" ? "no python3 on PATH" : "python3 has no venv module";
  }
}

/**
 * Runs a script beside this file in a Python that has a package (the client unless told), with these variables, for at most
 * a minute. Resolves with the JSON that it prints. The first run installs the package.
 */
export async function runPython(
  script: string,
  env: Readonly<Record<string, string>>,
  requirement = CLIENT,
): Promise<unknown> {
  const file = fileURLToPath(new URL(script, import.meta.url));
  const { stdout } = await run(await preparePython(requirement), [file], {
    env: { PATH: process.env.PATH, NO_PROXY: "127.0.0.1", PYTHONUTF8: "1", ...env },
    timeout: RUN_MS,
    maxBuffer: 16 * 1024 * 1024,
  });
  return JSON.parse(stdout);
}

/** A Python with the package in an environment of its own, made once per version. */
async function preparePython(requirement: string): Promise<string> {
  const environment = path.join(cacheFolder, requirement.replace("==", "-python-"));
  const python = path.join(environment, "bin", "python");
  if (existsSync(python)) return python;
  // Made beside its place and moved there whole, so that what is there is complete.
  const draft = `${environment}-${process.pid}`;
  await mkdir(cacheFolder, { recursive: true });
  await run("python3", ["-m", "venv", draft]);
  const install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", requirement];
  await run(path.join(draft, "bin", "python"), install);
  await rename(draft, environment).catch(() => rm(draft, { recursive: true, force: true }));
  return python;
}
