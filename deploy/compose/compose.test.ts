import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { runPolicyTests } from "../../apps/gateway/src/config/check.ts";
import { loadConfig } from "../../apps/gateway/src/config/load.ts";
import { parseDuration } from "../../apps/gateway/src/config/units.ts";
import { readImage } from "../../bench/deploy/image.ts";
import { findTool, readYamlFile, repository, type Tree } from "../tools.ts";

interface Service {
  readonly image: string;
  readonly user: string;
  readonly ports?: readonly string[];
  readonly networks: readonly string[];
  readonly volumes?: readonly string[];
  readonly tmpfs?: readonly string[];
  readonly secrets?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly [key: string]: unknown;
}

const folder = `${repository}deploy/compose/`;
const [compose] = readYamlFile(readFileSync(`${folder}compose.yaml`, "utf8")) as unknown as readonly [
  {
    readonly services: Readonly<Record<string, Service>>;
    readonly networks: Readonly<Record<string, { readonly internal?: boolean } | null>>;
    readonly volumes: object;
    readonly secrets: Readonly<Record<string, { readonly file: string }>>;
  },
];
const { services, networks } = compose;
const each = Object.entries(services);

test.each(each)("%s may do as little as it can, in bounds, from a version that is named", (_name, service) => {
  expect(service).toMatchObject({ read_only: true, cap_drop: ["ALL"], security_opt: ["no-new-privileges:true"] });
  expect(Number(service.user.split(":")[0])).toBeGreaterThan(0);
  for (const limit of ["mem_limit", "cpus", "pids_limit"]) expect(service, limit).toHaveProperty(limit);
  expect(service.image).toMatch(/:v?\d+\.\d+\.\d+(-alpine)?$/);
  expect(service.restart).toBe("unless-stopped");
  expect(service.privileged ?? service.network_mode ?? service.pid).toBeUndefined();
});

test("what is published is published to this machine alone, and no admin listener is", () => {
  const published = each.flatMap(([name, { ports = [] }]) => ports.map((port) => `${name} ${port}`));
  expect(published).toEqual([
    "gateway 127.0.0.1:8080-8081:8080",
    "prometheus 127.0.0.1:9090:9090",
    "grafana 127.0.0.1:3000:3000",
  ]);
});

test("health checks need no shell, and all but the collector have one", () => {
  const checks = each.map(([name, { healthcheck }]) => [name, healthcheck?.test[0]]);
  expect(checks.filter(([, how]) => how !== "CMD")).toEqual([["otel-collector", undefined]]);
  const { test: command } = services.gateway!.healthcheck!;
  expect(command).toEqual(["CMD", ...readImage().health]);
});

test("nobody but the gateways reaches Redis, and metrics have a network without a way out", () => {
  const members = (network: string) =>
    each.filter(([, service]) => service.networks.includes(network)).map(([name]) => name);
  expect(members("store")).toEqual(["gateway", "redis"]);
  expect(members("default")).toEqual(["gateway", "engine"]);
  expect(members("monitoring")).toEqual(["gateway", "prometheus", "grafana", "otel-collector"]);
  expect(members("console")).toEqual(["prometheus", "grafana"]);
  expect(Object.entries(networks).flatMap(([name, about]) => (about?.internal ? [name] : []))).toEqual([
    "store",
    "monitoring",
  ]);
});

test("secrets are files that secrets.sh makes, and no variable holds one", () => {
  const used = new Set(each.flatMap(([, { secrets = [] }]) => secrets));
  expect([...used].toSorted()).toEqual(Object.keys(compose.secrets).toSorted());
  const script = readFileSync(`${folder}secrets.sh`, "utf8");
  for (const [name, { file }] of Object.entries(compose.secrets)) {
    expect(file).toBe(`./secrets/${name}`);
    expect(script).toContain(name);
  }
  const variables = each.flatMap(([, { environment = {} }]) => Object.keys(environment));
  expect(variables.filter((name) => /PASSWORD|TOKEN|KEY|SECRET/.test(name) && !name.endsWith("__FILE"))).toEqual([]);
  expect(readFileSync(`${repository}.gitignore`, "utf8")).toContain("deploy/compose/secrets/");
});

test("what is mounted is there, for reading alone unless it is a volume", () => {
  for (const [name, { volumes = [] }] of each) {
    for (const volume of volumes) {
      const [from = "", , mode] = volume.split(":");
      if (Object.hasOwn(compose.volumes, from)) continue;
      expect(existsSync(`${folder}${from}`), `${name}: ${from}`).toBe(true);
      expect(`${volume} ${mode}`).toBe(`${volume} ro`);
    }
  }
});

test("Prometheus, Grafana and the collector are where the others look for them", () => {
  const [prometheus] = readYamlFile(readFileSync(`${repository}deploy/prometheus/prometheus.yml`, "utf8"));
  expect(JSON.stringify(prometheus)).toContain('"gateway');
  const provider = readFileSync(`${repository}deploy/grafana/provisioning/dashboards/signalbox.yaml`, "utf8");
  const [, path = ""] = /^\s+path: (\S+)$/m.exec(provider) ?? [];
  expect(services.grafana!.volumes).toContain(`../grafana/dashboards:${path}:ro`);
  const source = readFileSync(`${repository}deploy/grafana/provisioning/datasources/prometheus.yaml`, "utf8");
  const variable = /url: \$\{?(\w+)/.exec(source)?.[1] ?? "";
  expect(services.grafana!.environment?.[variable]).toBe("http://prometheus:9090");
  const collector = readFileSync(`${folder}otel-collector.yaml`, "utf8");
  const port = /endpoint: "0\.0\.0\.0:(\d+)"/.exec(collector)?.[1];
  expect(readFileSync(`${folder}policy/signalbox.yaml`, "utf8")).toContain(`http://otel-collector:${port}`);
});

test("the policy is sound, its tests pass, and the container outlives its drain", async () => {
  const text = readFileSync(`${folder}policy/signalbox.yaml`, "utf8");
  const loaded = await loadConfig(text, {
    env: {},
    readFile: async () => "a-secret-from-a-file",
    fileName: "signalbox.yaml",
  });
  expect(loaded.ok ? [] : loaded.errors).toEqual([]);
  if (!loaded.ok) return;
  expect(runPolicyTests(loaded.config).filter(({ pass }) => !pass)).toEqual([]);
  const { drainDelayMs, drainMs } = loaded.config.server;
  const grace = parseDuration(String(services.gateway!.stop_grace_period))!;
  expect(grace).toBeGreaterThan(drainDelayMs + drainMs);
  const named = [...text.matchAll(/\/run\/secrets\/(\S+)/g)].map(([, name]) => name);
  expect(services.gateway!.secrets!.toSorted()).toEqual(named.toSorted());
});

const checker = findTool("cmd");
test.skipIf(checker === undefined)(
  `compose's own reference implementation reads it${checker === undefined ? ": it is missing (`pnpm deploy:verify` makes it)" : ""}`,
  () => {
    const resolved = execFileSync(checker!, [`${folder}compose.yaml`], { stdio: "pipe" }).toString();
    expect(readYamlFile(resolved)[0]).toMatchObject({ services: { gateway: { read_only: true } } });
    // With an engine of deploy/engines beside it, the gateway has a network in common with that.
    const files = [`${folder}compose.yaml`, `${repository}deploy/engines/compose.yaml`];
    const [both] = readYamlFile(execFileSync(checker!, files, { stdio: "pipe" }).toString()) as readonly {
      services: Readonly<Record<string, { networks?: Tree }>>;
    }[];
    const engines = Object.entries(both!.services).filter(([name]) => !Object.hasOwn(services, name));
    expect(engines.length).toBeGreaterThan(2);
    for (const [name, { networks: own }] of engines) expect(own, name).toHaveProperty("default");
    expect(both!.services.gateway!.networks).toHaveProperty("default");
  },
);
