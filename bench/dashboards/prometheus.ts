import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { commandExists, freePort, start, stop, waitFor } from "../processes.ts";

/** Why there is no Prometheus here; undefined = there is one. */
export function whyNoPrometheus(): string | undefined {
  return commandExists("prometheus") ? undefined : "no prometheus on PATH (Debian: apt-get install prometheus)";
}

/** One series of an answer: its values, oldest first. */
export interface Answered {
  readonly metric: Readonly<Record<string, string>>;
  readonly values: readonly number[];
}

/** A rule that Prometheus has loaded. */
export interface LoadedRule {
  readonly name: string;
  readonly query: string;
  readonly type: "alerting" | "recording";
  readonly health: string;
  readonly lastError?: string;
}

/** A time in seconds since 1970. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** A real Prometheus that scrapes every second. */
export interface Prometheus {
  readonly url: string;
  /** What an expression gives at one moment. @throws Error with what Prometheus says against it. */
  at(expr: string, time: number): Promise<Answered[]>;
  /** What it gives every two seconds of a span. */
  over(expr: string, span: Span): Promise<Answered[]>;
  /** The values of a label of these series. */
  labelValues(label: string, selector: string, span: Span): Promise<string[]>;
  /** How many exemplars an expression's series have. */
  exemplars(expr: string, span: Span): Promise<number>;
  rules(): Promise<LoadedRule[]>;
  /** How many gateways answered the last scrape. */
  targetsUp(): Promise<number>;
  close(): Promise<void>;
}

/** How to start one. */
export interface PrometheusOptions {
  /** Addresses of admin listeners, `127.0.0.1:PORT`. */
  readonly targets: readonly string[];
  readonly token: string;
  /** Texts of rule files, by name. */
  readonly rules: Readonly<Record<string, string>>;
  /** What it does beyond what it does by itself. */
  readonly features?: readonly ("exemplar-storage" | "native-histograms")[];
}

/** The job of the gateways. Prometheus scrapes itself, too, as another one. */
export const JOB = "signalbox";

/** How long a step of a range is, in seconds. */
export const STEP_SECONDS = 2;

function configOf(folder: string, self: string, { targets, token, rules }: PrometheusOptions): string {
  const files = Object.keys(rules).map((name) => join(folder, name));
  // YAML reads JSON.
  return JSON.stringify({
    global: { scrape_interval: "1s", evaluation_interval: "1s" },
    rule_files: files,
    scrape_configs: [
      { job_name: JOB, authorization: { credentials: token }, static_configs: [{ targets: [...targets] }] },
      { job_name: "prometheus", static_configs: [{ targets: [self] }] },
    ],
  });
}

/** Starts one on a free port, in a folder of its own that goes with it. */
export async function startPrometheus(options: PrometheusOptions): Promise<Prometheus> {
  const folder = mkdtempSync(join(tmpdir(), "signalbox-prometheus-"));
  for (const [name, text] of Object.entries(options.rules)) writeFileSync(join(folder, name), text);
  const self = `127.0.0.1:${await freePort()}`;
  writeFileSync(join(folder, "prometheus.yml"), configOf(folder, self, options));
  const command = [
    "prometheus",
    `--config.file=${join(folder, "prometheus.yml")}`,
    `--storage.tsdb.path=${join(folder, "data")}`,
    `--web.listen-address=${self}`,
    "--log.level=error",
    ...(options.features ?? []).map((feature) => `--enable-feature=${feature}`),
  ];
  const child = start("anywhere", command, ["ignore", "inherit", "inherit"]);
  const url = `http://${self}`;
  const ready = async (): Promise<boolean> => (await fetch(`${url}/-/ready`).catch(() => undefined))?.status === 200;
  await waitFor("prometheus", child, ready);
  return {
    url,
    ...apiOf(url),
    async close() {
      await stop(child);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

interface Vector {
  readonly resultType: "vector" | "matrix" | "scalar";
  readonly result: readonly {
    readonly metric: Record<string, string>;
    readonly value?: readonly [number, string];
    readonly values?: readonly (readonly [number, string])[];
  }[];
}

function answered(data: Vector): Answered[] {
  if (data.resultType === "scalar") {
    return [{ metric: {}, values: [Number((data.result as unknown as [number, string])[1])] }];
  }
  return data.result.map(({ metric, value, values = value === undefined ? [] : [value] }) => ({
    metric,
    values: values.map(([, text]) => Number(text)),
  }));
}

function apiOf(url: string): Omit<Prometheus, "url" | "close"> {
  const get = async <T>(path: string, parameters: Readonly<Record<string, string | number>> = {}): Promise<T> => {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(parameters)) query.set(name, String(value));
    const response = await fetch(`${url}/api/v1/${path}?${query}`);
    const answer = (await response.json()) as { status: string; error?: string; data: T };
    if (answer.status !== "success") throw new Error(answer.error ?? `status ${response.status}`);
    return answer.data;
  };
  return {
    at: async (query, time) => answered(await get<Vector>("query", { query, time })),
    over: async (query, { from, to }) => {
      // A step falls on the end, where the newest is.
      const start = to - Math.floor((to - from) / STEP_SECONDS) * STEP_SECONDS;
      return answered(await get<Vector>("query_range", { query, start, end: to, step: STEP_SECONDS }));
    },
    labelValues: (label, selector, { from, to }) =>
      get<string[]>(`label/${label}/values`, { "match[]": selector, start: from, end: to }),
    exemplars: async (query, { from, to }) => {
      const found = await get<{ exemplars: unknown[] }[]>("query_exemplars", { query, start: from, end: to });
      return found.reduce((sum, { exemplars }) => sum + exemplars.length, 0);
    },
    rules: async () => (await get<{ groups: { rules: LoadedRule[] }[] }>("rules")).groups.flatMap(({ rules }) => rules),
    targetsUp: async () => (await get<Vector>("query", { query: `up{job="${JOB}"} == 1` })).result.length,
  };
}
