import { parseArgs } from "node:util";
import type { BackendStatus, BudgetStatus, Status, StoreStatus } from "../routes/status.ts";
import type { ToolCallCounts } from "../signals/tool-call-counts.ts";
import { AdminError, createAdminClient, readAdminToken } from "./admin-client.ts";
import type { Command } from "./command.ts";
import { adminFlags, jsonFlag } from "./common-flags.ts";
import { textTable } from "./text-table.ts";

const flags = { ...adminFlags, ...jsonFlag };

/** `signalbox status`: what a running gateway says of its backends, tool calls and budgets, as tables. */
export const status: Command = {
  summary: "show the backends of a running gateway, what became of its tool calls, and how budgets stand",
  usage: "status [--admin URL] [--token-file FILE] [--json]",
  flags,
  exits: { 0: "the gateway is ready", 1: "it is not, or none answers there" },
  async run(args) {
    const { values } = parseArgs({
      args,
      options: flags,
    });
    let answer: Status;
    try {
      answer = await createAdminClient(values.admin, await readAdminToken(values["token-file"])).status();
    } catch (error) {
      if (!(error instanceof AdminError)) throw error;
      console.error(error.message);
      return 1;
    }
    console.log(values.json ? JSON.stringify(answer, null, 2) : statusTable(answer));
    return answer.ready ? 0 : 1;
  },
};

/** The tables that `signalbox status` prints. */
export function statusTable(status: Status): string {
  const state = status.ready ? "ready" : `not ready: ${status.reason}`;
  const lines = [
    `signalbox ${status.version} · ${state} · ${status.in_flight} in flight · up ${status.uptime_seconds} s`,
    ...(status.store.kind === "redis" ? [storeLine(status.store)] : []),
    "",
    ...textTable([backendHead, ...status.backends.map(backendRow)]),
  ];
  if (status.tool_calls.length > 0) lines.push("", ...textTable([callHead, ...status.tool_calls.map(callRow)]));
  if (status.budgets.length > 0) lines.push("", ...textTable([budgetHead, ...status.budgets.map(budgetRow)]));
  return lines.join("\n");
}

function storeLine({ state, address, reason, instances, backlog, for_seconds }: StoreStatus): string {
  const where = `redis ${address ?? "not found yet"}`;
  if (state === "shared") return `limits shared through ${where} · ${instances} replicas · for ${for_seconds} s`;
  return `limits by each replica's share (1 of ${instances}) for ${for_seconds} s · ${where}: ${reason} · ${backlog} to be told`;
}

const budgetHead = ["TEAM", "BUDGET", "PERIOD", "USED", "OF", "USED %", "BEGINS ANEW"];

function budgetRow({ team, meter, period, used, budget, used_percent, begins_anew }: BudgetStatus): string[] {
  return [team, meter, period, String(used), String(budget), `${used_percent} %`, begins_anew];
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
    backend.hosted ? `${backend.address} (hosted)` : backend.address,
  ];
}
