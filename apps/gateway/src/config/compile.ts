import path from "node:path";
import { type BackendKind, kinds } from "@signalbox/backends";
import { type Deployment, holderOf, type Model, type Policy, type Rule } from "@signalbox/router";
import { compileAlerts } from "./compile-alerts.ts";
import { compileGuards } from "./compile-guards.ts";
import { compileAdminTokens, compileKey } from "./compile-keys.ts";
import { compilePrivacy } from "./compile-privacy.ts";
import { compileStore } from "./compile-store.ts";
import { compileTls } from "./compile-tls.ts";
import { compileTraces } from "./compile-traces.ts";
import { compileBaseline, compileBudgets, compilePrices, compileUsage } from "./compile-usage.ts";
import type { BackendConfig, Config, Limits, PolicyTest, Team } from "./config.ts";
import type { FileTexts } from "./file-texts.ts";
import type { LimitsEntry } from "./limit-schema.ts";
import type { ConfigFile } from "./schema.ts";

/** Turns a file that was found right into what the gateway runs by. */
export function compileConfig(
  file: ConfigFile,
  named: FileTexts,
  hash: string,
  lineOfTest: (index: number) => number,
): Config {
  const timeouts = {
    connectMs: file.defaults.timeouts.connect,
    firstTokenMs: file.defaults.timeouts.first_token,
    idleMs: file.defaults.timeouts.idle,
    totalMs: file.defaults.timeouts.total,
    coldStartMs: file.defaults.timeouts.cold_start,
  };
  const policy = compilePolicy(file);
  const { server } = file;
  const adminTokens = compileAdminTokens(file, named);
  return Object.freeze({
    hash,
    server: Object.freeze({
      listen: server.listen,
      admin: server.admin,
      adminTokens: () => adminTokens,
      guardsReading: server.admin_tokens !== undefined,
      auditFile: server.audit_file && path.resolve(named.folder, server.audit_file),
      maxBodyBytes: server.max_body,
      maxJsonDepth: server.max_json_depth,
      maxJsonKeys: server.max_json_keys,
      timeouts: Object.freeze({
        readHeaderMs: server.timeouts.read_header,
        readBodyMs: server.timeouts.read_body,
        writeMs: server.timeouts.write,
        idleMs: server.timeouts.idle,
      }),
      minBodyRate: server.min_body_rate,
      maxBodiesBytes: server.max_bodies,
      maxConnections: server.max_connections,
      maxRequests: server.max_requests,
      shedLagMs: server.shed_lag,
      drainDelayMs: server.drain_delay,
      drainMs: server.drain,
      metricTeams: server.metrics.teams,
      log: server.log,
      capture: server.capture && {
        file: path.resolve(named.folder, server.capture.file),
        maxBytes: server.capture.max_size,
        outcomes: server.capture.outcomes,
      },
      traces: compileTraces(server.traces, named),
    }),
    store: compileStore(file.store, named),
    backends: new Map(Object.keys(file.backends).map((name) => [name, compileBackend(name, file, named)])),
    policy,
    modelLimits: new Map(
      Object.entries(file.models).flatMap(([name, { limits }]) => (limits ? [[name, compileLimits(limits)]] : [])),
    ),
    privacy: compilePrivacy(file, policy),
    prices: compilePrices(file),
    baselinePrice: compileBaseline(file),
    usage: compileUsage(file, named.folder),
    teams:
      file.teams && new Map(Object.entries(file.teams).map(([name, team]) => [name, compileTeam(name, team, policy)])),
    alerts: compileAlerts(file),
    guards: compileGuards(file),
    timeouts: Object.freeze(timeouts),
    attempts: file.defaults.attempts,
    queue: Object.freeze({ maxWaiting: file.defaults.queue.max_waiting, maxWaitMs: file.defaults.queue.max_wait }),
    scaling: Object.freeze({
      target: file.defaults.scaling.target,
      waitMs: file.defaults.scaling.wait,
      windowMs: file.defaults.scaling.window,
    }),
    retryBudget: file.defaults.retry_budget,
    tests: file.tests.map((test, index) => compileTest(test, policy, lineOfTest(index))),
    files: named.paths,
  });
}

function compileBackend(name: string, file: ConfigFile, named: FileTexts): BackendConfig {
  const entry = file.backends[name]!;
  const { timeouts, probe } = file.defaults;
  const own = entry.timeouts ?? {};
  const kind = kinds[entry.kind];
  const key = entry.api_key_file === undefined ? entry.api_key : named.files.get(entry.api_key_file)?.trim();
  const headers = Object.fromEntries(
    Object.entries(entry.headers ?? {}).map(([header, value]) => [header.toLowerCase(), value]),
  );
  if (key) headers.authorization = `Bearer ${key}`;
  const tls = compileTls(entry.tls, named.files);
  return Object.freeze({
    name,
    kind: entry.kind,
    url: entry.url === "auto" ? "auto" : baseUrl(entry.url),
    headers: () => headers,
    maxConcurrent: entry.max_concurrent ?? (kind.concurrent ? Number.POSITIVE_INFINITY : 1),
    gpus: entry.gpus ?? 0,
    saturation: Object.freeze({
      waiting: entry.saturated_at?.waiting ?? file.defaults.saturated_at.waiting,
      kvUse: entry.saturated_at?.kv_use ?? file.defaults.saturated_at.kv_use,
    }),
    tls: () => tls,
    hosted: isHosted(entry),
    discoverCommand: entry.discover_command,
    probe: Object.freeze({
      intervalMs: entry.probe?.interval ?? probe.interval,
      timeoutMs: entry.probe?.timeout ?? probe.timeout,
    }),
    timeouts: Object.freeze({
      connectMs: own.connect ?? timeouts.connect,
      firstTokenMs: own.first_token ?? timeouts.first_token,
      idleMs: own.idle ?? timeouts.idle,
      coldStartMs: own.cold_start ?? timeouts.cold_start,
    }),
  });
}

function isHosted({ hosted, kind }: ConfigFile["backends"][string]): boolean {
  const traits: BackendKind = kinds[kind];
  return hosted ?? traits.hosted ?? false;
}

/** People copy the address that their client uses, which ends in `/v1`; the kinds' paths begin with it. */
function baseUrl(text: string): string {
  const url = new URL(text);
  return url.origin + url.pathname.replace(/\/+$/, "").replace(/\/v1$/, "");
}

function compilePolicy(file: ConfigFile): Policy {
  const aliases = new Map<string, string>();
  for (const [name, entry] of Object.entries(file.models)) for (const alias of entry.aliases) aliases.set(alias, name);
  const resolve = (name: string) => aliases.get(name) ?? name;
  const models = Object.entries(file.models).map(([name, entry]): [string, Model] => {
    const deployments = entry.on.map((on) => compileDeployment(name, on, file));
    const restartsStreams = entry.restart_broken_streams;
    const model = {
      name,
      aliases: entry.aliases,
      deployments,
      strategy: entry.strategy,
      context: entry.context,
      capabilities: Object.freeze({
        tools: entry.tools,
        images: entry.images,
        json_schema: entry.json_schema,
        embeddings: entry.embeddings,
      }),
      fallback: entry.fallback.map(resolve),
      rememberReasoningMs: entry.remember_reasoning,
      hedgeAfterMs: entry.hedge?.after,
      whenSaturated: entry.when_saturated && {
        use: resolve(entry.when_saturated.use),
        complexity: entry.when_saturated.complexity,
      },
      restartsStreams,
      recoversStreams: restartsStreams || deployments.some(({ continuesReplies }) => continuesReplies),
      defaults: Object.fromEntries(
        Object.entries(entry.defaults).flatMap(([key, value]) =>
          value === undefined ? [] : [[key, JSON.stringify(value)]],
        ),
      ),
    };
    return [name, Object.freeze(model)];
  });
  const rules = file.routing.map((rule, index): Rule => {
    return Object.freeze({ when: rule.when ?? {}, use: resolve(rule.use), label: rule.name ?? `routing.${index}` });
  });
  return Object.freeze({
    models: new Map(models),
    aliases,
    rules,
    thresholds: Object.freeze(file.defaults.complexity),
  });
}

function compileDeployment(name: string, on: ConfigFile["models"][string]["on"][number], file: ConfigFile): Deployment {
  const backend = file.backends[on.backend]!;
  const model = on.model ?? name;
  return Object.freeze({
    id: `${on.backend}/${model}`,
    backend: on.backend,
    model,
    weight: on.weight ?? 1,
    dialect: on.dialect,
    reasoningFirst: on.reasoning_first,
    toolParser: backend.tool_parser,
    reasoningHistory: on.reasoning_history ?? backend.reasoning_history ?? kinds[backend.kind].reasoningHistory,
    continuesReplies: on.continue_final_message ?? backend.continue_final_message,
    hosted: isHosted(backend),
  });
}

function compileTeam(name: string, entry: NonNullable<ConfigFile["teams"]>[string], policy: Policy): Team {
  const { per_key: perKey, per_model: perModel, ...own } = entry.limits;
  return Object.freeze({
    name,
    priority: entry.priority,
    weight: entry.weight,
    holder: Object.freeze(holderOf({ team: name, weight: entry.weight, priority: entry.priority })),
    keys: entry.keys.map(compileKey),
    models: entry.models && new Set(entry.models.map((model) => policy.aliases.get(model) ?? model)),
    limits: Object.freeze({
      ...compileLimits(own),
      ...(perKey && { perKey: compileLimits(perKey) }),
      ...(perModel && {
        perModel: new Map(
          Object.entries(perModel).map(([model, limits]) => [
            policy.aliases.get(model) ?? model,
            compileLimits(limits),
          ]),
        ),
      }),
    }),
    budgets: compileBudgets(entry.budget),
  });
}

function compileLimits(entry: LimitsEntry): Limits {
  const { requests, tokens, input_tokens: inputTokens, output_tokens: outputTokens, concurrent } = entry;
  return Object.freeze({
    ...(requests && { requests }),
    ...(tokens && { tokens }),
    ...(inputTokens && { inputTokens }),
    ...(outputTokens && { outputTokens }),
    ...(concurrent && { concurrent }),
  });
}

function compileTest(test: ConfigFile["tests"][number], policy: Policy, line: number): PolicyTest {
  const { request, expect } = test;
  const { model, reason, error } = expect;
  const optional = { tools: request.tools, response_format: request.response_format, max_tokens: request.max_tokens };
  return Object.freeze({
    name: test.name,
    line,
    team: request.team,
    body: Object.freeze({
      model: request.model,
      messages: request.messages ?? [{ role: "user", content: request.prompt ?? "" }],
      ...Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined)),
    }),
    headers: Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name.toLowerCase(), value])),
    expect: {
      ...(model && { model: policy.aliases.get(model) ?? model }),
      ...(reason && { reason }),
      ...(error && { error }),
    },
  });
}
