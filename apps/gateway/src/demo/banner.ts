import { decide } from "@signalbox/router";
import type { Config } from "../config/config.ts";
import { openTeam } from "../teams/keys.ts";
import type { DemoPool, ShownEngine } from "./pool.ts";
import { curlBody, curlLine, easyQuestion, hardQuestion, questionBody, toolBody } from "./questions.ts";

export interface BannerFacts {
  readonly version: string;
  readonly pool: DemoPool;
  readonly config: Config;
  readonly url: string;
  readonly adminUrl: string;
  /** Ports of the gateway that were stepped over. */
  readonly portNotes: readonly string[];
}

/** What the demo prints when everything is up. */
export function banner({ version, pool, config, url, adminUrl, portNotes }: BannerFacts): string {
  const admin = adminUrl === "http://127.0.0.1:9090" ? "" : ` --admin ${adminUrl}`;
  const lines = [
    `Signalbox ${version}: one endpoint in front of these engines`,
    "",
    ...engineTable(pool.engines).map((line) => `  ${line}`),
    "",
    ...[...pool.notes, ...portNotes].map((note) => `  ${note}`),
    "",
    `  endpoint   ${url}/v1   (no key needed: only this machine can connect)`,
    `  status     curl ${adminUrl}/status   or as a table: npx pnpm signalbox status${admin}`,
    `  metrics    ${adminUrl}/metrics   (for Prometheus and Grafana)`,
    `  Python     OpenAI(base_url="${url}/v1", api_key="EMPTY") and model="auto"`,
    "",
    "Paste these into another terminal, one after the other:",
    "",
    `# 1. an easy question: ${destination(config, easyQuestion)}`,
    curlLine(url, easyQuestion),
    "",
    `# 2. a hard one, streamed: ${destination(config, hardQuestion)}`,
    curlLine(url, hardQuestion, true),
    "",
    ...(pool.callsTools ? toolLines(url) : []),
    ...killLines(pool, config, url, pool.callsTools ? 4 : 3),
    "",
    "Every request shows below as one line. Ctrl-C stops everything.",
  ];
  return `${lines.join("\n")}\n`;
}

function engineTable(engines: readonly ShownEngine[]): string[] {
  const head = ["NAME", "ENGINE", "ADDRESS", "MODELS", "PID"];
  const rows = engines.map(({ name, title, address, models, simulated, pid }) => [
    name,
    simulated ? `${title} (simulated)` : title,
    address,
    models.length > 3 ? `${models.slice(0, 3).join(", ")} and ${models.length - 3} more` : models.join(", ") || "-",
    pid === undefined ? "" : String(pid),
  ]);
  const ours = engines.some(({ pid }) => pid !== undefined);
  const all = [head, ...rows].map((row) => (ours ? row : row.slice(0, -1)));
  const widths = all[0]!.map((_, column) => Math.max(...all.map((row) => row[column]!.length)));
  return all.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join("  ")
      .trimEnd(),
  );
}

/** The model that the question goes to and the backends that may answer first. */
function route(config: Config, question: string): { model: string; backends: readonly string[]; others: boolean } {
  const body = questionBody(question, false);
  const facts = { endpoint: "chat_completions", team: openTeam.name, model: body.model, body, bytes: 0 } as const;
  const { model, chain } = decide(config.policy, { ...facts, header: () => undefined });
  const backends = [...new Set(model.deployments.map(({ backend }) => backend))];
  const all = new Set(chain.flatMap(({ deployments }) => deployments.map(({ backend }) => backend)));
  return { model: model.name, backends, others: all.size > 1 };
}

function destination(config: Config, question: string): string {
  const { model, backends } = route(config, question);
  return `goes to «${model}» on ${backends.join(" or ")}`;
}

function toolLines(url: string): string[] {
  return [
    "# 3. a question for a tool: the engine leaves thought and call in the text, and they come out clean",
    curlBody(url, toolBody()),
    "",
  ];
}

/** How to end the engine that answered the hard question, and ask again. */
function killLines(pool: DemoPool, config: Config, url: string, number: number): string[] {
  const { backends, others } = route(config, hardQuestion);
  const engine = pool.engines.find(({ name }) => name === backends[0])!;
  const again = curlLine(url, hardQuestion, true);
  if (!others)
    return [
      `# ${number}. there is no other engine that could take over from ${engine.name}: start a second one for that`,
    ];
  if (engine.pid !== undefined)
    return [`# ${number}. kill the engine that just answered, and ask again`, `kill ${engine.pid}; ${again}`];
  if (engine.simulated) {
    const kill = `curl -s -X PUT ${engine.address}/_sim/fault -d '{"kind":"refuse"}'`;
    return [
      `# ${number}. let the engine that just answered refuse all connections, and ask again`,
      `${kill}; ${again}`,
    ];
  }
  const which =
    backends.length === 1 ? `${engine.name} (${engine.address})` : "the engine that x-signalbox-backend named";
  return [`# ${number}. stop ${which} the way you started it, and ask again`, again];
}
