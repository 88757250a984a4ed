import { parseArgs } from "node:util";
import { parseDuration } from "../config/units.ts";
import { type BackendAction, backendActions } from "../routes/admin-backends.ts";
import type { BackendStatus } from "../routes/status.ts";
import { type AdminClient, AdminError, createAdminClient, readAdminToken } from "./admin-client.ts";
import { type Command, type Flags, UsageError } from "./command.ts";
import { adminFlags } from "./common-flags.ts";
import { textTable } from "./text-table.ts";

const POLL_MS = 200;

const flags = {
  timeout: {
    type: "string",
    default: "10m",
    value: "10m",
    meaning: "How long `drain` waits for what is under way.",
  },
  wait: { type: "boolean", default: true, meaning: "`drain` does not wait." },
  ...adminFlags,
} as const satisfies Flags;

/** What a backend is after each action. */
const done: Readonly<Record<BackendAction, string>> = {
  drain: "draining",
  open: "opened by hand: it takes nothing new",
  close: "closed by hand: its breakers stay closed, and what they knew is forgotten",
  auto: "left to itself",
};

/** `signalbox backends`: sets a running gateway's backends by hand. */
export const backends: Command = {
  summary: "drain or set backends of a running gateway by hand, until the next reload",
  usage:
    "backends list [--admin URL] [--token-file FILE]\nbackends drain NAME [--timeout 10m] [--no-wait]\nbackends open|close|auto NAME",
  flags,
  exits: {
    0: "done; of `drain`: nothing is under way there any more",
    1: "the gateway refuses, or none answers; of `drain`: it took longer than `--timeout`, or the backend drains no more",
  },
  async run(args) {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      allowNegative: true,
      options: flags,
    });
    const [verb, name, ...rest] = positionals;
    const action = backendActions.find((each) => each === verb);
    if ((action === undefined && verb !== "list") || rest.length > 0)
      throw new UsageError(`backends knows: list, ${backendActions.join(", ")}`);
    if ((name === undefined) !== (action === undefined))
      throw new UsageError(action === undefined ? "backends list takes no name" : `backends ${verb} wants a name`);
    const timeoutMs = parseDuration(values.timeout);
    if (timeoutMs === undefined) throw new UsageError(`--timeout ${values.timeout}: expected such as 30s or 10m`);
    try {
      const client = createAdminClient(values.admin, await readAdminToken(values["token-file"]));
      if (action === undefined || name === undefined) return await list(client);
      const backend = await client.setBackend(name, action);
      if (action === "drain" && values.wait) return await untilDrained(client, backend, timeoutMs);
      console.log(`${name}: ${done[action]}, ${backend.in_flight} under way`);
      return 0;
    } catch (error) {
      if (!(error instanceof AdminError)) throw error;
      console.error(error.message);
      return 1;
    }
  },
};

async function list(client: AdminClient): Promise<number> {
  const status = await client.status();
  console.log(textTable([listHead, ...status.backends.flatMap(listRows)]).join("\n"));
  return 0;
}

const listHead = ["BACKEND", "BY HAND", "HEALTH", "IN FLIGHT", "MODEL", "BREAKER", "NOT TRIED FOR"];

function listRows({ name, override, health, in_flight, deployments }: BackendStatus): string[][] {
  const own = [name, override ?? "-", health.status, String(in_flight)];
  if (deployments.length === 0) return [[...own, "-", "-", "-"]];
  return deployments.map(({ model, breaker, unfit }) => [...own, model, breaker, unfit ?? "-"]);
}

/** Tells how many are left, whenever that changes. 0 = none, 1 = they took too long, or it drains no more. */
async function untilDrained(client: AdminClient, backend: BackendStatus, timeoutMs: number): Promise<number> {
  const { name } = backend;
  const end = performance.now() + timeoutMs;
  let left: number | undefined;
  for (let now: BackendStatus | undefined = backend; ; ) {
    if (now?.override !== "drain") {
      console.error(`${name}: drains no more: a reload, or another hand, has given it back`);
      return 1;
    }
    if (now.in_flight === 0) {
      console.log(`${name}: drained`);
      return 0;
    }
    if (now.in_flight !== left) console.log(`${name}: draining, ${now.in_flight} under way`);
    left = now.in_flight;
    if (performance.now() >= end) {
      console.error(`${name}: ${left} still under way after ${timeoutMs} ms; it goes on draining`);
      return 1;
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    const { backends: all } = await client.status();
    now = all.find((each) => each.name === name);
  }
}
