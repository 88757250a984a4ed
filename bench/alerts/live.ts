import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { startSimulator } from "../../packages/simulator/src/index.ts";
import { type Prometheus, startPrometheus } from "../dashboards/prometheus.ts";
import { startGatewayProcess } from "../faults/gateway-process.ts";
import { replaceConfig } from "../lab/replace-config.ts";
import { freePort } from "../processes.ts";

/** One thing that was looked at. */
export interface Check {
  readonly what: string;
  readonly ok: boolean;
  /** What was found instead; empty when it is as it must be. */
  readonly found: string;
}

const PATIENCE_MS = 30_000;
const REQUESTS = 20;
const files = ["recording.rules.yml", "alerts.rules.yml"] as const;

/** The rules as they are, but for how often they are evaluated and how long an alert must last. */
function quickened(name: (typeof files)[number]): string {
  const text = readFileSync(new URL(`../../deploy/prometheus/${name}`, import.meta.url), "utf8");
  return text.replace(/^( +interval|for| +for): \w+$/gm, "$1: 1s");
}

/** What is to fire and what is not, as `name severity`. */
interface Expected {
  readonly firing?: readonly string[];
  readonly quiet?: readonly string[];
}

async function firingIn(prometheus: Prometheus): Promise<readonly string[]> {
  const series = await prometheus.at('ALERTS{alertstate="firing"}', Date.now() / 1000);
  return series.map(({ metric: { alertname, severity } }) => `${alertname} ${severity}`);
}

/** Waits until alerts are as expected; tells how they are after half a minute. */
async function until(what: string, prometheus: Prometheus, { firing = [], quiet = [] }: Expected): Promise<Check> {
  for (const end = performance.now() + PATIENCE_MS; ; ) {
    const now = await firingIn(prometheus);
    const ok = firing.every((name) => now.includes(name)) && quiet.every((name) => !now.includes(name));
    if (ok) return { what, ok, found: "" };
    if (performance.now() > end) return { what, ok, found: `firing: ${now.join(", ") || "nothing"}` };
    await sleep(200);
  }
}

const engineGone = ["SignalboxBackendDown warning", "SignalboxModelDown critical"];
const failing = ["SignalboxErrorRate warning", "SignalboxErrorRate critical"];

/** Plays a failure before a real Prometheus with the real rules: an engine is killed and comes back, a threshold changes, the gateway is killed. */
export async function playOutage(): Promise<readonly Check[]> {
  const port = await freePort();
  const startEngine = () => startSimulator({ kind: "vllm", models: ["m"], port });
  let engine = await startEngine();
  const policy = (alerts: object) => ({
    server: { alerts },
    backends: { one: { kind: "vllm", url: engine.url, probe: { interval: "200ms" } } },
    models: { large: { on: [{ backend: "one", model: "m" }] } },
  });
  const gateway = await startGatewayProcess({ config: policy({}) });
  const ask = async (): Promise<void> => {
    const body = JSON.stringify({ model: "large", messages: [{ role: "user", content: "hi" }], max_tokens: 2 });
    const headers = { "content-type": "application/json" };
    for (let at = 0; at < REQUESTS; at++) {
      await (await fetch(`${gateway.url}/v1/chat/completions`, { method: "POST", headers, body })).text();
      // Over several scrapes, as requests come: a series that begins with all of them would not seem to have grown.
      await sleep(200);
    }
  };
  const prometheus = await startPrometheus({
    targets: [new URL(gateway.adminUrl).host],
    token: "none",
    rules: Object.fromEntries(files.map((name) => [name, quickened(name)])),
  });
  const checks: Check[] = [];
  try {
    await ask();
    checks.push(...(await whileAllIsWell(prometheus)));
    await engine.close();
    await until("", prometheus, { firing: ["SignalboxBackendDown warning"] });
    await ask();
    checks.push(
      await until("an engine is killed: its alerts fire, and those of failed requests", prometheus, {
        firing: [...engineGone, ...failing, "SignalboxErrorBudgetBurn critical"],
      }),
    );
    engine = await startEngine();
    checks.push(await until("it is back: its alerts end", prometheus, { quiet: engineGone, firing: failing }));
    const laxer = { error_rate: { warning: "100%", critical: "100%" } };
    replaceConfig(gateway, policy(laxer));
    checks.push(
      await until("a threshold in the policy file is raised: what it was compared with ends", prometheus, {
        quiet: failing,
      }),
    );
    gateway.child.kill("SIGKILL");
    checks.push(await until("the gateway is killed", prometheus, { firing: ["SignalboxDown critical"] }));
  } finally {
    await Promise.all([prometheus.close(), gateway.close(), engine.close()]);
  }
  return checks;
}

/** Every rule has been evaluated without an error, and nothing fires. */
async function whileAllIsWell(prometheus: Prometheus): Promise<readonly Check[]> {
  const wrong = async (): Promise<readonly string[]> =>
    (await prometheus.rules()).flatMap(({ name, health, lastError }) =>
      health === "ok" ? [] : [`${name}: ${lastError ?? health}`],
    );
  for (const end = performance.now() + PATIENCE_MS; (await wrong()).length > 0 && performance.now() < end; )
    await sleep(200);
  const left = await wrong();
  // Before the first scrape there was no gateway.
  await until("", prometheus, { quiet: ["SignalboxDown critical"] });
  // Long enough for whatever is true now to fire.
  await sleep(4000);
  const firing = await firingIn(prometheus);
  return [
    { what: "every rule is evaluated without an error", ok: left.length === 0, found: left.join("; ") },
    { what: "nothing fires while all is well", ok: firing.length === 0, found: firing.join(", ") },
  ];
}
