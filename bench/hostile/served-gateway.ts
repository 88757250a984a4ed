import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const main = join(import.meta.dirname, "../../apps/gateway/src/main.ts");

/** `signalbox serve` in a process of its own, as its users run it. Disposing of it ends it and removes its folder. */
export interface ServedGateway extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly adminUrl: string;
  readonly child: ChildProcess;
  /** Holds the policy file and what belongs to it. */
  readonly folder: string;
  readonly file: string;
  /** All it wrote so far. */
  readonly stdout: string;
  readonly stderr: string;
  /** The lines about requests. */
  requestLines(): Record<string, unknown>[];
  metrics(): Promise<string>;
  /** Asks it to end, and resolves with its exit code. */
  stop(): Promise<number | null>;
}

export interface ServeOptions {
  /** The policy without `version`; may name files that `files` puts beside it. Ports: `listen: 127.0.0.1:0, admin: 127.0.0.1:0`. */
  readonly yaml: string;
  readonly files?: Readonly<Record<string, string>>;
  /** Added to this process's variables. */
  readonly env?: Readonly<Record<string, string>>;
  /** Options of Node before the program. */
  readonly node?: readonly string[];
}

/** The `server` section that most policies need. */
export const anyPorts = "listen: 127.0.0.1:0, admin: 127.0.0.1:0";

/** A key as a policy holds it. */
export const hashOf = (key: string): string => `sha256:${createHash("sha256").update(key).digest("hex")}`;

/**
 * Starts a gateway and waits until it is ready.
 * @throws Error with what it said when it ends before that.
 */
export async function serveGateway({ yaml, files = {}, env = {}, node = [] }: ServeOptions): Promise<ServedGateway> {
  const folder = mkdtempSync(join(tmpdir(), "signalbox-hostile-"));
  const file = join(folder, "signalbox.yaml");
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  writeFileSync(file, `version: 1\n${yaml}`);
  const child = spawn(process.execPath, [...node, main, "serve", "--config", file], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...env },
  });
  const said = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const) {
    child[stream].setEncoding("utf8").on("data", (text: string) => {
      said[stream] += text;
    });
  }
  const { url, adminUrl } = await addressesOf(child, said);
  return {
    url,
    port: Number(new URL(url).port),
    adminUrl,
    child,
    folder,
    file,
    get stdout() {
      return said.stdout;
    },
    get stderr() {
      return said.stderr;
    },
    requestLines: () => linesOf(said.stdout).filter(({ event }) => event === "request"),
    metrics: async () => (await fetch(`${adminUrl}/metrics`)).text(),
    stop: () => end(child, "SIGTERM"),
    async [Symbol.asyncDispose]() {
      await end(child, "SIGKILL");
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  const exited = once(child, "exit");
  child.kill(signal);
  return ((await exited) as [number | null])[0];
}

interface Addresses {
  readonly url: string;
  readonly adminUrl: string;
}

/** From the line that says where it listens, in either form of the log. */
async function addressesOf(child: ChildProcess, said: { stdout: string; stderr: string }): Promise<Addresses> {
  for (let tries = 0; tries < 1500; tries++) {
    if (child.exitCode !== null)
      throw new Error(`the gateway ended with ${child.exitCode}: ${said.stdout}${said.stderr}`);
    const line = said.stdout.split("\n").find((text) => text.includes('"admin":'));
    const found = /"url":"([^"]+)","admin":"([^"]+)".*\}/.exec(line ?? "");
    if (found !== null && (await isReady(found[2]!))) return { url: found[1]!, adminUrl: found[2]! };
    await sleep(10);
  }
  throw new Error("the gateway was not ready within 15 seconds");
}

async function isReady(adminUrl: string): Promise<boolean> {
  const response = await fetch(`${adminUrl}/readyz`);
  await response.text();
  return response.ok;
}

function linesOf(text: string): Record<string, unknown>[] {
  const whole = text.slice(0, text.lastIndexOf("\n") + 1);
  return whole
    .split("\n")
    .flatMap((line) => (line.startsWith("{") ? [JSON.parse(line) as Record<string, unknown>] : []));
}
