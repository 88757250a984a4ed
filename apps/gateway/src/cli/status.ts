import { parseArgs } from "node:util";
import type { BackendStatus, Status } from "../routes/status.ts";
import type { ToolCallCounts } from "../signals/tool-call-counts.ts";
import type { Command } from "./command.ts";

const TIMEOUT_MS = 5000;

/** `signalbox status`: what a running gateway says of its backends and tool calls, as tables. */
export const status: Command = {
  summary: "show the backends of a running gateway, and what became of its tool calls",
  usage: "status [--admin URL] [--json]   (default: http://127.0.0.1:9090)",
  async run(args) {
    const { values } = parseArgs({
      args,
      options: {
        admin: { type: "string", default: "http://127.0.0.1:9090" },
        json: { type: "boolean", default: false },
      },
    });
    const base = values.admin.includes("://") ? values.admin : `http://${values.admin}`;
    let answer: Status;
    try {
      answer = await askStatus(base);
    } catch (error) {
      const { cause, message } = error as Error & { cause?: Error };
      console.error(`no gateway's admin listener answers at ${base}: ${cause?.message ?? message}`);
      return 1;
    }
    console.log(values.json ? JSON.stringify(answer, null, 2) : statusTable(answer));
    return answer.ready ? 0 : 1;
  },
};

async function askStatus(base: string): Promise<Status> {
  const response = await fetch(new URL("/status", base), { signal: AbortSignal.timeout(TIMEOUT_MS) });
  if (!response.ok) throw new Error(`status ${response.status}`);
  const answer: unknown = await response.json().catch(() => undefined);
  if (!Array.isArray((answer as Partial<Status> | null | undefined)?.backends))
    throw new Error("something else answers there");
  // A gateway of an older version counts no tool calls.
  return { tool_calls: [], ...(answer as Omit<Status, "tool_calls">) };
}

/** The tables that `signalbox status` prints. */
export function statusTable(status: Status): string {
  const state = status.ready ? "ready" : `not ready: ${status.reason}`;
  const lines = [
    `signalbox ${status.version} · ${state} · ${status.in_flight} in flight · up ${status.uptime_seconds} s`,
    "",
    ...table([backendHead, ...status.backends.map(backendRow)]),
  ];
  if (status.tool_calls.length > 0) lines.push("", ...table([callHead, ...status.tool_calls.map(callRow)]));
  return lines.join("\n");
}

function table(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join("  ")
      .trimEnd(),
  );
}

const callHead = [
  "MODEL",
  "DIALECT",
  "TOOL CALLS",
  "SUCCESS",
  "CLEAN",
  "LEAKED",
  "COERCED",
  "REPAIRED",
  "FAILED",
  "DENIED",
];

function callRow(calls: ToolCallCounts): string[] {
  const { model, dialect, total, clean, leaked, coerced, repaired, failed, denied } = calls;
  const counts = [clean, leaked, coerced, repaired, failed, denied].map(String);
  return [model, dialect, String(total), `${calls.success_percent} %`, ...counts];
}

/** What differs from the rest is named: `closed, big open`. */
function breakersOf({ override, deployments }: BackendStatus): string {
  const held = override === null ? [] : [`${override} by hand`];
  const told = deployments.map(({ model, breaker, cooling_down_seconds: cooling }) => {
    return { model, word: cooling > 0 ? `${breaker}, cooling ${cooling} s` : breaker };
  });
  const words = new Set(told.map(({ word }) => word));
  if (words.size < 2) return [...held, ...words].join(", ");
  return [...held, ...told.map(({ model, word }) => `${model} ${word}`)].join("; ");
}

const backendHead = ["BACKEND", "KIND", "HEALTH", "BREAKER", "IN FLIGHT", "QUEUE", "KV", "MODELS", "ADDRESS"];

function backendRow(backend: BackendStatus): string[] {
  const { health, load } = backend;
  const loaded = backend.models.filter((model) => model.loaded === true).length;
  const knowsLoaded = backend.models.some((model) => model.loaded !== null);
  return [
    backend.name,
    backend.kind,
    health.status === "ready" ? "ready" : `${health.status} (${health.reason.slice(0, 40)})`,
    breakersOf(backend),
    backend.max_concurrent === null ? String(backend.in_flight) : `${backend.in_flight}/${backend.max_concurrent}`,
    load.waiting === null ? "-" : String(load.waiting),
    load.kv_use === null ? "-" : `${Math.round(load.kv_use * 100)} %`,
    knowsLoaded ? `${loaded} of ${backend.models.length} loaded` : String(backend.models.length),
    backend.address,
  ];
}
