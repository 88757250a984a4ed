import { execFile } from "node:child_process";
import type { BackendKind, GetResponse } from "@signalbox/backends";

const COMMAND_TIMEOUT_MS = 5000;
const MAX_OUTPUT_BYTES = 64 * 1024;

/** Runs a command of the config, without a shell. Gives "" when it fails. */
function run(command: readonly string[]): Promise<string> {
  const [file, ...args] = command;
  if (file === undefined) return Promise.resolve("");
  return new Promise((resolve) => {
    execFile(file, args, { timeout: COMMAND_TIMEOUT_MS, maxBuffer: MAX_OUTPUT_BYTES }, (_error, stdout) =>
      resolve(stdout ?? ""),
    );
  });
}

async function get(url: string): Promise<GetResponse> {
  const response = await fetch(url, { redirect: "error", signal: AbortSignal.timeout(COMMAND_TIMEOUT_MS) });
  return { status: response.status, headers: Object.fromEntries(response.headers), text: await response.text() };
}

/**
 * Where a backend is now that has a new port at every start: asked of the config's command, or of the kind's own.
 * Undefined = not found.
 */
export async function discoverUrl(
  kind: BackendKind,
  command: readonly string[] | undefined,
): Promise<string | undefined> {
  try {
    return await kind.discover?.({ run, get, command });
  } catch {
    return undefined;
  }
}
