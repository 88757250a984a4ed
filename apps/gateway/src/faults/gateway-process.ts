import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { onTestFinished } from "vitest";
import { wholePolicy } from "../end-to-end/test-gateway.ts";

/** A gateway in a process of its own, so that its memory and time are its own. */
export interface GatewayProcess {
  readonly url: string;
  readonly adminUrl: string;
  readonly child: ChildProcess;
  /** Resolves with the exit code. */
  readonly exited: Promise<number | null>;
  /** Bytes of memory in use. */
  rss(): number;
  /** Milliseconds of CPU used since its start. */
  cpuMs(): number;
  /** Sum of a metric's series whose labels hold `labels`; 0 where there is none. */
  metric(name: string, labels?: string): Promise<number>;
}

export interface GatewayProcessOptions {
  /** A shell's command before the gateway's, such as `ulimit -n 64`. */
  readonly before?: string;
  /** A program that runs the gateway's, such as `["taskset", "-c", "1"]`. */
  readonly under?: readonly string[];
  /** Where its log goes, when it is no pipe to here: then its addresses must be known. */
  readonly log?: { readonly stdout: "pipe" | number; readonly url: string; readonly adminUrl: string };
}

const PAGE_BYTES = 4096;
/** Clock ticks of /proc are hundredths of a second on every Linux that Node runs on. */
const TICK_MS = 10;

/** Starts `signalbox serve` with a policy file; ended when the test ends. Linux only: it reads /proc. */
export async function startGatewayProcess(yaml: string, options: GatewayProcessOptions = {}): Promise<GatewayProcess> {
  const folder = mkdtempSync(path.join(tmpdir(), "signalbox-faults-"));
  const file = path.join(folder, "signalbox.yaml");
  writeFileSync(file, wholePolicy(yaml));
  const main = new URL("../main.ts", import.meta.url).pathname;
  const words = [...(options.under ?? []), process.execPath, main, "serve", "--config", file];
  const shell = ["sh", "-c", `${options.before ?? ":"}; exec "$@"`, "sh"];
  const stdio: StdioOptions = ["ignore", options.log?.stdout ?? "pipe", "inherit"];
  const [command, ...args] = [...(options.before === undefined ? [] : shell), ...words];
  const child = spawn(command!, args, { stdio });
  const exited = new Promise<number | null>((resolve) => child.once("exit", resolve));
  onTestFinished(async () => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill("SIGKILL");
      await exited;
    }
    rmSync(folder, { recursive: true, force: true });
  });
  const { url, adminUrl } = options.log === undefined ? await addressesOf(child) : options.log;
  if (options.log !== undefined) await answering(`${url}/livez`);
  const read = (name: string): string => readFileSync(`/proc/${child.pid}/${name}`, "utf8");
  return {
    url,
    adminUrl,
    child,
    exited,
    rss: () => Number(read("statm").split(" ")[1]) * PAGE_BYTES,
    cpuMs() {
      const fields = read("stat").split(") ")[1]!.split(" ");
      return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
    },
    async metric(name, labels = "") {
      const text = await (await fetch(`${adminUrl}/metrics`)).text();
      const lines = text.split("\n").filter((line) => new RegExp(`^${name}[ {]`).test(line) && line.includes(labels));
      return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0);
    },
  };
}

function addressesOf(child: ChildProcess): Promise<{ url: string; adminUrl: string }> {
  return new Promise((resolve, reject) => {
    let text = "";
    child.once("exit", (code) => reject(new Error(`the gateway ended with ${code}: ${text}`)));
    child.stdout!.on("data", (chunk: Buffer) => {
      text += chunk.toString();
      const line = text.split("\n").find((one) => one.includes('"listening"'));
      if (!line?.endsWith("}")) return;
      const { url, admin } = JSON.parse(line) as { url: string; admin: string };
      resolve({ url, adminUrl: admin });
    });
  });
}

async function answering(url: string): Promise<void> {
  const deadline = performance.now() + 10_000;
  for (;;) {
    if (
      await fetch(url).then(
        ({ ok }) => ok,
        () => false,
      )
    )
      return;
    if (performance.now() > deadline) throw new Error(`nothing answers at ${url}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}
