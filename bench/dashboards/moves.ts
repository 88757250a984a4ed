import { setTimeout as sleep } from "node:timers/promises";
import type { TestRedis } from "../../apps/gateway/src/store/test-redis.ts";
import type { GatewayProcess } from "../faults/gateway-process.ts";
import { ask } from "../faults/wire-client.ts";
import { replaceConfig } from "../lab/replace-config.ts";
import type { Collector } from "./collector.ts";
import { type Engines, keys, type Team, tokens } from "./pool.ts";

/** What the load has to work with. */
export interface Stage {
  readonly gateways: readonly [GatewayProcess, GatewayProcess];
  readonly engines: Engines;
  readonly redis: TestRedis;
  readonly collector: Collector;
  readonly policy: Readonly<Record<string, unknown>>;
}

const tools = [
  {
    type: "function",
    function: {
      name: "look_up",
      parameters: {
        type: "object",
        properties: { city: { type: "string" }, days: { type: "integer" } },
        required: ["city"],
      },
    },
  },
  { type: "function", function: { name: "erase", parameters: { type: "object", properties: {} } } },
];

interface Errand {
  readonly team: Team;
  readonly model: string;
  readonly prompt: string;
  readonly stream?: boolean;
  readonly withTools?: boolean;
}

/** Requests that are asked again and again, each at its own pace. */
const errands: readonly (readonly [everyMs: number, Errand])[] = [
  [150, { team: "search", model: "auto", prompt: "hi there", stream: true }],
  [250, { team: "search", model: "large", prompt: "tell me of signal boxes", stream: true }],
  [400, { team: "nightly", model: "large", prompt: "tell me of points" }],
  [300, { team: "nightly", model: "auto", prompt: "what is an interlocking, and prove that it is safe", stream: true }],
  [100, { team: "payments", model: "small", prompt: "hello" }],
  [700, { team: "frugal", model: "coder", prompt: "a function that adds" }],
  [300, { team: "search", model: "shaky", prompt: "is anybody there", stream: true }],
  [400, { team: "search", model: "prompt", prompt: "quickly", stream: true }],
  [900, { team: "search", model: "scarce", prompt: "one at a time", stream: true }],
  [700, { team: "nightly", model: "scarce", prompt: "one at a time" }],
  [1100, { team: "payments", model: "scarce", prompt: "one at a time" }],
  [1300, { team: "search", model: "scarce", prompt: "and so on, ".repeat(10_000), stream: true }],
  [500, { team: "search", model: "coder", prompt: "told-in-full" }],
  [900, { team: "search", model: "nobody-has-it", prompt: "hello" }],
  ...["whole-call", "coerced-call", "cut-call", "endless-thought"].map(
    (prompt) => [800, { team: "search", model: "large", prompt, withTools: true, stream: true }] as const,
  ),
  ...["leaked-call", "repaired-call", "denied-call", "misfit-call"].map(
    (prompt) => [800, { team: "search", model: "coder", prompt, withTools: true }] as const,
  ),
];

async function post({ url }: GatewayProcess, team: Team, body: unknown): Promise<string> {
  const headers = { authorization: `Bearer ${keys[team]}` };
  const answer = await ask(url, { body, headers }).catch(() => undefined);
  return answer?.text ?? "";
}

function bodyOf({ model, prompt, stream = false, withTools = false }: Errand): Readonly<Record<string, unknown>> {
  return {
    model,
    stream,
    ...(stream ? { stream_options: { include_usage: true } } : {}),
    max_tokens: 40,
    messages: [{ role: "user", content: prompt }],
    ...(withTools ? { tools } : {}),
  };
}

/** Does something again and again, however long it takes, until the signal fires. */
function every(ms: number, signal: AbortSignal, once: (turn: number) => unknown): void {
  let turn = 0;
  const timer = setInterval(() => void once(turn++), ms);
  signal.addEventListener("abort", () => clearInterval(timer));
}

/** A client with a tool that forgets the model's thought, so that the gateway puts it back. */
async function toolLoop(gateway: GatewayProcess): Promise<void> {
  const question = { role: "user", content: "thoughtful-call" };
  const text = await post(gateway, "search", { model: "coder", messages: [question], tools });
  const [call] = /"tool_calls":\[(\{.*?\}\})/.exec(text)?.slice(1) ?? [];
  if (call === undefined) return;
  const { id, ...sent } = JSON.parse(call) as { id: string };
  const turn = { role: "assistant", content: null, tool_calls: [{ id, ...sent }] };
  const result = { role: "tool", tool_call_id: id, content: "rain" };
  await post(gateway, "search", { model: "coder", messages: [question, turn, result], tools });
}

/** More requests at once than the gateway takes, of which many have to wait for the one slot of their backend. */
async function flood(gateway: GatewayProcess): Promise<void> {
  const bodies = ["scarce", "large", "large"].map((model) =>
    bodyOf({ team: "nightly", model, prompt: "all at once", stream: true }),
  );
  await Promise.all(Array.from({ length: 120 }, (_, index) => post(gateway, "nightly", bodies[index % 3])));
}

/** What nobody should send. */
async function junk(gateway: GatewayProcess): Promise<void> {
  await ask(gateway.url, { body: "{", headers: { authorization: `Bearer ${keys.search}` } }).catch(() => {});
  await ask(gateway.url, { body: {}, headers: { authorization: "Bearer sb-nobody" } }).catch(() => {});
  await fetch(`${gateway.adminUrl}/status`, { headers: { authorization: "Bearer nobody" } }).catch(() => {});
}

/** Changes something at the admin listener. */
async function change({ adminUrl }: GatewayProcess, path: string, what: object): Promise<void> {
  const headers = { authorization: `Bearer ${tokens.admin}`, "content-type": "application/json" };
  await fetch(`${adminUrl}${path}`, { method: "POST", headers, body: JSON.stringify(what) });
}

/** Starts requests of all kinds, which go on until the signal fires. */
export function startLoad({ gateways, engines }: Stage, signal: AbortSignal): void {
  for (const [ms, errand] of errands) {
    every(ms, signal, (turn) => post(gateways[turn % 2]!, errand.team, bodyOf(errand)));
  }
  every(1000, signal, (turn) => toolLoop(gateways[turn % 2]!));
  every(1500, signal, (turn) => junk(gateways[turn % 2]!));
  engines.flaky.fault({ kind: "status", status: 500, probability: 0.8 });
  engines.coder.fault({ kind: "malformed_event", probability: 0.1 });
  engines.m2a.fault({ kind: "cut", probability: 0.15, after_tokens: 8 });
}

/** What happens once, one after the other: it takes about 50 s. */
export async function playIncidents(stage: Stage, say: (what: string) => void): Promise<void> {
  const { gateways, engines, redis, collector, policy } = stage;
  const [first, second] = gateways;
  const incidents: readonly (readonly [afterMs: number, what: string, how: () => unknown])[] = [
    [6000, "an engine dies", () => engines.m2b.kill()],
    [1000, "more comes than there is room for", () => void flood(first)],
    [
      5000,
      "a backend is drained by hand",
      () => gateways.map((gateway) => change(gateway, "/backends/late", { action: "drain" })),
    ],
    [0, "a key is made", () => change(first, "/keys", { action: "create", team: "search", name: "ci" })],
    [4000, "the engine is back", () => engines.m2b.revive()],
    [2000, "a policy with an error is written", () => replaceConfig(second, { ...policy, routing: "nowhere" })],
    [3000, "Redis is gone", () => redis.kill()],
    [8000, "Redis is back", () => redis.restart()],
    [1000, "the collector of traces is gone", () => collector.leave()],
    [3000, "a good policy is written", () => replaceConfig(second, { ...policy, routing: [{ use: "small" }] })],
    [4000, "more comes than there is room for", () => void flood(second)],
    [1000, "the collector is back", () => collector.comeBack()],
    [5000, "a model's only engine dies", () => engines.edge.kill()],
    [5000, "that is all", () => {}],
  ];
  for (const [afterMs, what, how] of incidents) {
    await sleep(afterMs);
    say(what);
    await how();
  }
}
