import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { onTestFinished } from "vitest";
import { wholePolicy } from "../end-to-end/test-gateway.ts";

/** A gateway in a process of its own, so that its memory and time are its own. */
export interface GatewayProcess {
  readonly url: string;
  /** Bytes of memory in use. */
  rss(): number;
  /** Milliseconds of CPU used since its start. */
  cpuMs(): number;
}

const PAGE_BYTES = 4096;
/** Clock ticks of /proc are hundredths of a second on every Linux that Node runs on. */
const TICK_MS = 10;

/** Starts `signalbox serve` with a policy file; ended when the test ends. Linux only: it reads /proc. */
export async function startGatewayProcess(yaml: string): Promise<GatewayProcess> {
  const folder = mkdtempSync(path.join(tmpdir(), "signalbox-faults-"));
  const file = path.join(folder, "signalbox.yaml");
  writeFileSync(file, wholePolicy(yaml));
  const main = new URL("../main.ts", import.meta.url).pathname;
  const child = spawn(process.execPath, [main, "serve", "--config", file], { stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(async () => {
    if (child.exitCode === null) {
      const exited = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGKILL");
      await exited;
    }
    rmSync(folder, { recursive: true, force: true });
  });
  const url = await urlOf(child);
  const read = (name: string): string => readFileSync(`/proc/${child.pid}/${name}`, "utf8");
  return {
    url,
    rss: () => Number(read("statm").split(" ")[1]) * PAGE_BYTES,
    cpuMs() {
      const fields = read("stat").split(") ")[1]!.split(" ");
      return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
    },
  };
}

function urlOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    child.once("exit", (code) => reject(new Error(`the gateway ended with ${code}: ${text}`)));
    child.stdout!.on("data", (chunk: Buffer) => {
      text += chunk.toString();
      const line = text.split("\n").find((one) => one.includes('"listening"'));
      if (line?.endsWith("}")) resolve((JSON.parse(line) as { url: string }).url);
    });
  });
}
