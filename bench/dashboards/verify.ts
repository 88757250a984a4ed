import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { metricTable } from "../../apps/gateway/src/signals/metric-table.ts";
import { startRedis } from "../../apps/gateway/src/store/test-redis.ts";
import { startGatewayProcess } from "../faults/gateway-process.ts";
import { startCollector } from "./collector.ts";
import { interpolated, selectorsOf } from "./expressions.ts";
import { playIncidents, type Stage, startLoad } from "./moves.ts";
import { policyOf, startEngines, tokens } from "./pool.ts";
import {
  type Answered,
  JOB,
  type Prometheus,
  type PrometheusOptions,
  type Span,
  STEP_SECONDS,
  startPrometheus,
} from "./prometheus.ts";
import { type DashboardJson, type Query, queriesOf, queriesOfNative, queriesOfRules } from "./queries.ts";

/** What became of one query. */
export interface Verdict {
  readonly what: string;
  readonly expr: string;
  /** Series, exemplars or label values that it gave. */
  readonly count: number;
  /** The highest value of all; nothing where there are none. */
  readonly max?: number;
  /** Why it failed; undefined = it has data. */
  readonly problem?: string;
}

const deploy = new URL("../../deploy/", import.meta.url);

function textsIn(folder: string, end: string): Record<string, string> {
  const url = new URL(folder, deploy);
  return Object.fromEntries(
    readdirSync(url)
      .filter((name) => name.endsWith(end))
      .map((name) => [name, readFileSync(new URL(name, url), "utf8")]),
  );
}

/** The dashboards as they are committed. */
export function committedDashboards(): DashboardJson[] {
  return Object.values(textsIn("grafana/dashboards/", ".json")).map((text) => JSON.parse(text) as DashboardJson);
}

/** The rules as they are committed, but evaluated each second, and alerts fire as soon as their condition holds: nobody waits an hour here. */
function hastyRules(): Record<string, string> {
  const texts = Object.entries(textsIn("prometheus/", ".rules.yml"));
  return Object.fromEntries(
    texts.map(([name, text]) => [name, text.replaceAll(/^(\s+(?:for|interval):) \S+$/gm, "$1 1s")]),
  );
}

/** What Grafana would put in place of variables when everything is chosen and the graph has a point every two seconds. */
function valuesFor({ from, to }: Span): Record<string, string> {
  const all = Object.fromEntries(["instance", "team", "model", "backend"].map((name) => [name, ".*"]));
  return {
    ...all,
    job: JOB,
    __rate_interval: `${Math.max(4, STEP_SECONDS + 1)}s`,
    __range: `${Math.ceil(to - from)}s`,
  };
}

function judged(answers: readonly Answered[]): Omit<Verdict, "what" | "expr"> {
  const numbers = answers.flatMap(({ values }) => values).filter(Number.isFinite);
  if (numbers.length === 0) return { count: answers.length, problem: "no data" };
  return { count: answers.length, max: numbers.reduce((one, other) => Math.max(one, other)) };
}

async function answerOf({ how }: Query, expr: string, prometheus: Prometheus, span: Span) {
  if (how === "at") return judged(await prometheus.at(expr, span.to));
  if (how === "over") return judged(await prometheus.over(expr, span));
  const count =
    how === "exemplars"
      ? await prometheus.exemplars(expr, span)
      : (await prometheus.labelValues(how.label, expr, span)).length;
  return count > 0 ? { count } : { count, problem: "none" };
}

/**
 * Asks a query as Grafana does. What is in it by name must have series, too, though `or` and `count` hide that it has none; and
 * where it asks for a job it must have no others.
 */
export async function verdictOn(query: Query, prometheus: Prometheus, span: Span): Promise<Verdict> {
  const expr = interpolated(query.expr, valuesFor(span));
  const verdict = { what: query.what, expr };
  try {
    for (const selector of selectorsOf(expr)) {
      const window = `[${Math.ceil(span.to - span.from)}s]`;
      const seen = await prometheus.at(`count by (job) (last_over_time(${selector}${window}))`, span.to);
      if (seen.length === 0) return { ...verdict, count: 0, problem: `no series of ${selector}` };
      const jobs = seen.map(({ metric }) => metric.job);
      if (selector.includes("job=~") && jobs.some((job) => job !== JOB))
        return { ...verdict, count: 0, problem: `${selector} has series of ${jobs.join(" and ")}` };
    }
    return { ...verdict, ...(await answerOf(query, expr, prometheus, span)) };
  } catch (error) {
    return { ...verdict, count: 0, problem: error instanceof Error ? error.message : String(error) };
  }
}

const histograms = Object.entries(metricTable)
  .filter(([, { type }]) => type === "histogram")
  .map(([name]) => name);

/** What a verification needs besides what is committed. */
interface VerifyOptions {
  readonly say: (what: string) => void;
  readonly dashboards: readonly DashboardJson[];
}

/**
 * Runs two gateways on one Redis before simulated engines, with a Prometheus that scrapes them and one that takes native
 * histograms, while requests of all kinds and one incident after the other make every series move; then asks every query of the
 * dashboards and of the rules.
 */
export async function verify({ say, dashboards }: VerifyOptions): Promise<Verdict[]> {
  const started: (() => unknown)[] = [];
  const keep = <T>(thing: T, close: () => unknown): T => {
    started.push(close);
    return thing;
  };
  try {
    const stage = await setStage(keep);
    const targets = stage.gateways.map(({ adminUrl }) => new URL(adminUrl).host);
    const start = async (options: Pick<PrometheusOptions, "rules" | "features">): Promise<Prometheus> => {
      const prometheus = await startPrometheus({ targets, token: tokens.prometheus, ...options });
      return keep(prometheus, prometheus.close);
    };
    const classic = await start({ rules: hastyRules(), features: ["exemplar-storage"] });
    const native = await start({ rules: {}, features: ["native-histograms"] });
    return await runOn(stage, { classic, native }, dashboards, say);
  } finally {
    for (const close of started.reverse()) await close();
  }
}

async function setStage(keep: <T>(thing: T, close: () => unknown) => T): Promise<Stage> {
  const redis = await startRedis();
  keep(redis, redis.close);
  const engines = await startEngines();
  keep(engines, () => Promise.all(Object.values(engines).map((engine) => engine.close())));
  const collector = await startCollector();
  keep(collector, collector.leave);
  const policy = policyOf(engines, { redisUrl: redis.url, collectorUrl: collector.url });
  const start = async () => {
    const gateway = await startGatewayProcess({ config: policy });
    return keep(gateway, gateway.close);
  };
  return { redis, engines, collector, policy, gateways: [await start(), await start()] };
}

async function runOn(
  stage: Stage,
  { classic, native }: Readonly<Record<"classic" | "native", Prometheus>>,
  dashboards: readonly DashboardJson[],
  say: (what: string) => void,
): Promise<Verdict[]> {
  const stopped = new AbortController();
  const from = Date.now() / 1000;
  // Counters are to be seen at 0 before they move, as in a gateway that has just been started.
  for (const prometheus of [classic, native])
    while ((await prometheus.targetsUp()) < stage.gateways.length) await sleep(200);
  try {
    startLoad(stage, stopped.signal);
    await playIncidents(stage, say);
    const rules = await classic.rules();
    const ill = rules.filter(({ health }) => health !== "ok");
    const queries = [...dashboards.flatMap(queriesOf), ...queriesOfRules(rules)];
    const verdicts: Verdict[] = ill.map(({ name, query, lastError }) => {
      return { what: `rule ${name}`, expr: query, count: 0, problem: lastError ?? "its health is not ok" };
    });
    const span = { from, to: Date.now() / 1000 - 1 };
    for (const query of queries) verdicts.push(await verdictOn(query, classic, span));
    for (const query of queriesOfNative(histograms)) verdicts.push(await verdictOn(query, native, span));
    return verdicts;
  } finally {
    stopped.abort();
  }
}
