import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "../processes.ts";
import type { Finding } from "./finding.ts";
import type { Restricted, RestrictedOptions } from "./restricted.ts";
import { beginSlowStreams, sendRequests, startEngines } from "./traffic.ts";

const MEMORY_BYTES = 256 * 1024 * 1024;
const STREAMS = 4;
const READY_WITHIN_MS = 30_000;

/**
 * Starts the gateway restricted, sends it requests, stops it with streams under way: what was seen of it. Resolves with
 * findings that are not ok rather than throw for them.
 */
export async function restrictedRun(
  run: (options: RestrictedOptions) => Promise<Restricted>,
  requests: number,
): Promise<readonly Finding[]> {
  const engines = await startEngines();
  const configFolder = mkdtempSync(join(tmpdir(), "signalbox-deploy-"));
  const [listen, admin] = [`127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`];
  chmodSync(configFolder, 0o755);
  writeFileSync(join(configFolder, "signalbox.yaml"), engines.policy(listen, admin), { mode: 0o644 });
  const restricted = await run({ configFolder, memoryBytes: MEMORY_BYTES });
  try {
    return await findingsOf(restricted, `http://${listen}`, `http://${admin}`, requests);
  } finally {
    await restricted.remove();
    await engines.close();
    rmSync(configFolder, { recursive: true });
  }
}

async function findingsOf(run: Restricted, url: string, admin: string, requests: number): Promise<Finding[]> {
  await ready(`${admin}/readyz`);
  const rights = rightsOf(run.pid);
  const healthy = await run.health();
  const began = performance.now();
  const wrong = await sendRequests(url, requests);
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  const streams = await beginSlowStreams(url, STREAMS);
  const peak = peakOf(run.pid);
  const code = await run.stop();
  const ended = await streams.ended;
  const gone = await run.health();
  const megabytes = Math.ceil(peak / 1024 ** 2);
  return [
    { what: `held by ${run.how}; memory limit: ${run.memory}`, ok: rights.problems.length === 0, seen: rights.seen },
    { what: `${requests} requests, all 200 and whole`, ok: wrong.length === 0, seen: wrong[0] ?? `${seconds} s` },
    { what: "peak of resident memory, at most 256 MiB", ok: peak <= MEMORY_BYTES, seen: `${megabytes} MiB` },
    { what: "the health command says 0 while it runs", ok: healthy === 0, seen: String(healthy) },
    { what: `SIGTERM: ${STREAMS} streams under way end whole`, ok: ended === STREAMS, seen: String(ended) },
    { what: "SIGTERM: exit code 0", ok: code === 0, seen: String(code) },
    { what: "the health command says 1 when it is gone", ok: gone === 1, seen: String(gone) },
  ];
}

async function ready(url: string): Promise<void> {
  const end = performance.now() + READY_WITHIN_MS;
  while ((await fetch(url).catch(() => undefined))?.status !== 200) {
    if (performance.now() > end) throw new Error(`${url} was not 200 within ${READY_WITHIN_MS} ms`);
    await sleep(50);
  }
}

/** What the kernel says that a process may do, and what of that it should not. */
function rightsOf(pid: number): { readonly seen: string; readonly problems: readonly string[] } {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const of = (name: string): string => new RegExp(`^${name}:\\s+(\\S+)`, "m").exec(status)?.[1] ?? "?";
  const mounts = readFileSync(`/proc/${pid}/mountinfo`, "utf8")
    .trim()
    .split("\n")
    .map((line) => line.split(" "));
  const writable = mounts
    .filter(([, , , , place = "", options = ""]) => options.startsWith("rw") && !/^\/(proc|dev|sys)\b/.test(place))
    .map(([, , , , place]) => place as string);
  const [uid, capabilities, privileges] = [of("Uid"), of("CapBnd"), of("NoNewPrivs")];
  const isRoot = uid === "0";
  const problems = [
    ...(isRoot ? ["it runs as root"] : []),
    ...(/[^0]/.test(of("CapEff")) ? ["it has capabilities"] : []),
    ...(privileges === "1" ? [] : ["it may gain privileges"]),
    ...writable.map((place) => `${place} can be written to`),
  ];
  const seen = problems.join(", ") || `uid ${uid}, CapBnd ${capabilities}, NoNewPrivs ${privileges}, nothing writable`;
  return { problems, seen };
}

/** Bytes that a process had resident at most. */
function peakOf(pid: number): number {
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) * 1024;
}
