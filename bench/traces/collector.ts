import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { accepts, commandExists, freePort, start, stop, waitFor } from "../processes.ts";
import type { OtlpSpan } from "./trace-tree.ts";

const VERSION = "0.160.0";
const source = fileURLToPath(new URL("./collector/", import.meta.url));
const binary = join(homedir(), ".cache/signalbox-tools", `otel-collector-${VERSION}`);

/** An OpenTelemetry Collector that writes what it receives to a file. */
export interface Collector {
  /** `http://127.0.0.1:PORT`, for OTLP over HTTP. */
  readonly url: string;
  readonly version: string;
  /** The spans of a trace as soon as there are so many. @throws Error after 15 s. */
  trace(traceId: string, spans: number): Promise<readonly OtlpSpan[]>;
  stop(): Promise<void>;
}

/** The collector's program, built from the Go module proxy the first time. @throws Error without Go. */
function program(): string {
  if (existsSync(binary)) return binary;
  const go = commandExists("go") ? "go" : "/usr/local/go/bin/go";
  if (go !== "go" && !existsSync(go)) throw new Error("no go on PATH: it is needed once, to build the collector");
  console.log(`building OpenTelemetry Collector ${VERSION}, which takes minutes the first time`);
  mkdirSync(join(binary, ".."), { recursive: true });
  const draft = `${binary}-${process.pid}`;
  execFileSync(go, ["build", "-trimpath", "-ldflags", "-s -w", "-o", draft, "."], { cwd: source, stdio: "inherit" });
  renameSync(draft, binary);
  return binary;
}

/** Starts one; its files are in `folder`. */
export async function startCollector(folder: string): Promise<Collector> {
  const port = await freePort();
  const out = join(folder, "traces.json");
  const config = {
    receivers: { otlp: { protocols: { http: { endpoint: `127.0.0.1:${port}` } } } },
    exporters: { file: { path: out } },
    service: {
      telemetry: { metrics: { level: "none" }, logs: { level: "warn" } },
      pipelines: { traces: { receivers: ["otlp"], exporters: ["file"] } },
    },
  };
  const configFile = join(folder, "collector.yaml");
  writeFileSync(configFile, JSON.stringify(config));
  const child = start("anywhere", [program(), "--config", `file:${configFile}`], ["ignore", "inherit", "inherit"]);
  await waitFor("the collector", child, () => accepts(port));
  return {
    url: `http://127.0.0.1:${port}`,
    version: VERSION,
    async trace(traceId, count) {
      const end = performance.now() + 15_000;
      for (;;) {
        const spans = existsSync(out) ? spansIn(readFileSync(out, "utf8")) : [];
        const found = spans.filter((span) => span.traceId === traceId);
        if (found.length >= count) return found;
        if (performance.now() > end)
          throw new Error(`${found.length} spans of trace ${traceId} within 15 s, not ${count}`);
        await sleep(100);
      }
    },
    stop: () => stop(child),
  };
}

interface OtlpLine {
  readonly resourceSpans: readonly { readonly scopeSpans: readonly { readonly spans: readonly OtlpSpan[] }[] }[];
}

/** The spans of whole lines of OTLP's JSON form. */
function spansIn(text: string): readonly OtlpSpan[] {
  const lines = text.slice(0, text.lastIndexOf("\n") + 1).split("\n");
  return lines
    .filter((line) => line !== "")
    .flatMap((line) => (JSON.parse(line) as OtlpLine).resourceSpans)
    .flatMap(({ scopeSpans }) => scopeSpans)
    .flatMap(({ spans }) => spans);
}
