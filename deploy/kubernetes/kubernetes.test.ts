import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { runPolicyTests } from "../../apps/gateway/src/config/check.ts";
import type { Config } from "../../apps/gateway/src/config/config.ts";
import { loadConfig } from "../../apps/gateway/src/config/load.ts";
import { readImage } from "../../bench/deploy/image.ts";
import { findTool, readYamlFile, repository, type Tree } from "../tools.ts";
import { baseFiles } from "./base-files.ts";

const folder = `${repository}deploy/kubernetes/`;
const read = (path: string): readonly Tree[] => readYamlFile(readFileSync(`${folder}${path}`, "utf8"));
const only = <T = Tree>(path: string): T => read(path)[0] as T;

interface Pod {
  readonly automountServiceAccountToken: boolean;
  readonly terminationGracePeriodSeconds: number;
  readonly securityContext: Tree;
  readonly containers: readonly {
    readonly args: readonly string[];
    readonly lifecycle: { readonly preStop: { readonly sleep: { readonly seconds: number } } };
    readonly volumeMounts: readonly Tree[];
    readonly [key: string]: unknown;
  }[];
  readonly topologySpreadConstraints: readonly Tree[];
}
const deployment = only<{ spec: { replicas?: number; strategy: Tree; template: { spec: Pod; metadata: Tree } } }>(
  "base/deployment.yaml",
);
const pod = deployment.spec.template.spec;
const [container] = pod.containers;

async function policyOf(path: string): Promise<Config> {
  const text = readFileSync(`${folder}${path}`, "utf8");
  const loaded = await loadConfig(text, { env: {}, fileName: path, readFile: async () => "a-secret-from-a-file" });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.errors));
  return loaded.config;
}

describe("the pod", () => {
  test("may do nothing that the gateway does not need", () => {
    expect(pod.automountServiceAccountToken).toBe(false);
    expect(only("base/serviceaccount.yaml").automountServiceAccountToken).toBe(false);
    const { user, group } = readImage();
    expect(pod.securityContext).toEqual({
      runAsNonRoot: true,
      runAsUser: user,
      runAsGroup: group,
      fsGroup: group,
      seccompProfile: { type: "RuntimeDefault" },
    });
    expect(container!.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    });
    expect(container!.resources).toMatchObject({ requests: { cpu: expect.anything() }, limits: { memory: "512Mi" } });
  });

  test("runs the command of the image", () => {
    expect(container!.args).toEqual(readImage().start.slice(2));
  });

  test("is asked where the gateway answers without a token", () => {
    const asked = (probe: string) => (container![probe] as { httpGet: Tree }).httpGet;
    expect(asked("startupProbe")).toEqual({ path: "/livez", port: "admin" });
    expect(asked("livenessProbe")).toEqual({ path: "/livez", port: "admin" });
    expect(asked("readinessProbe")).toEqual({ path: "/readyz", port: "admin" });
  });

  test("mounts the policy as a folder, without which no change would come through", () => {
    const mount = { name: "policy", mountPath: "/etc/signalbox", readOnly: true };
    expect(container!.volumeMounts).toEqual([mount]);
    expect(JSON.stringify(deployment)).not.toContain("subPath");
  });

  test.each(["base/signalbox.yaml", "overlays/example/signalbox.yaml"])(
    "has the time to drain as %s says, and its ports",
    async (path) => {
      const config = await policyOf(path);
      const { drainDelayMs, drainMs, listen, admin } = config.server;
      const before = container!.lifecycle.preStop.sleep.seconds * 1000;
      expect(pod.terminationGracePeriodSeconds * 1000).toBeGreaterThan(before + drainDelayMs + drainMs);
      expect(container!.ports).toEqual([
        { name: "http", containerPort: listen.port },
        { name: "admin", containerPort: admin.port },
      ]);
      expect([listen.host, admin.host]).toEqual(["0.0.0.0", "0.0.0.0"]);
      expect(runPolicyTests(config).filter(({ pass }) => !pass)).toEqual([]);
    },
  );
});

describe("around the pods", () => {
  test("two are there at least, on two machines where there are, and never go at once", () => {
    expect(only("base/hpa.yaml")).toMatchObject({ spec: { minReplicas: 2, maxReplicas: 6 } });
    expect(deployment.spec.replicas).toBeUndefined();
    expect(deployment.spec.strategy).toMatchObject({ rollingUpdate: { maxUnavailable: 0 } });
    expect(only("base/pdb.yaml")).toMatchObject({ spec: { maxUnavailable: 1 } });
    expect(pod.topologySpreadConstraints.map(({ topologyKey }) => topologyKey)).toContain("kubernetes.io/hostname");
  });

  test("the network lets clients to the one port, scrapes to the other, and the gateway to what it needs", () => {
    const { spec } = only<{
      spec: Record<"ingress" | "egress", readonly { ports?: readonly { port: unknown }[] }[]> & Tree;
    }>("base/networkpolicy.yaml");
    expect(spec.policyTypes).toEqual(["Ingress", "Egress"]);
    expect(spec.ingress.map(({ ports }) => ports?.map(({ port }) => port))).toEqual([["http"], ["admin"]]);
    expect(JSON.stringify(spec.ingress[1])).toContain('"kubernetes.io/metadata.name":"monitoring"');
    const out = spec.egress.flatMap(({ ports = [] }) => ports.map(({ port }) => port));
    for (const port of [53, 6379, 4318, 30000, 11434, 8000]) expect(out).toContain(port);
  });

  test("every label that something selects by is on the pods, and only the admin service is scraped", () => {
    const labels = deployment.spec.template.metadata.labels as Readonly<Record<string, string>>;
    const services = read("base/service.yaml") as readonly { metadata: { labels: Tree }; spec: { selector: Tree } }[];
    for (const { spec } of services) expect(labels).toMatchObject(spec.selector);
    const monitor = only<{ spec: { jobLabel: string; selector: { matchLabels: Tree } } }>(
      "components/monitoring/servicemonitor.yaml",
    );
    const scraped = services.filter(({ metadata }) =>
      Object.entries(monitor.spec.selector.matchLabels).every(([name, value]) => metadata.labels[name] === value),
    );
    expect(scraped).toHaveLength(1);
    expect(scraped[0]).toMatchObject({ spec: { clusterIP: "None", publishNotReadyAddresses: true } });
    expect(scraped[0]!.metadata.labels[monitor.spec.jobLabel]).toBe("signalbox");
  });
});

describe("what is made from other files is not older than they are (pnpm kubernetes)", () => {
  test("the rules of Prometheus", () => {
    const rules = ["recording", "alerts"].flatMap((name) => {
      const [file] = readYamlFile(readFileSync(`${repository}deploy/prometheus/${name}.rules.yml`, "utf8"));
      return file!.groups as readonly Tree[];
    });
    expect(rules.length).toBeGreaterThan(1);
    expect(only("components/monitoring/prometheusrule.yaml").spec).toEqual({ groups: rules });
  });

  test("the list of dashboards", () => {
    const grafana = readFileSync(`${repository}deploy/grafana/kustomization.yaml`, "utf8");
    const listed = [...grafana.matchAll(/=dashboards\/(\S+)\]/g)].map(([, name]) => name);
    const there = readdirSync(`${repository}deploy/grafana/dashboards`).filter((name) => name.endsWith(".json"));
    expect(listed).toEqual(there.toSorted());
  });

  const helm = findTool("helm");
  test.skipIf(helm === undefined)(
    `the base${helm === undefined ? ": helm is missing (`pnpm deploy:verify` makes it)" : ""}`,
    () => {
      for (const [path, text] of baseFiles(helm!)) {
        expect(readFileSync(`${repository}deploy/${path}`, "utf8"), path).toBe(text);
      }
    },
  );
});

test("every file that a kustomization names is there", () => {
  for (const path of ["base", "components/monitoring", "overlays/example", "../grafana"]) {
    const file = `${folder}${path}/kustomization.yaml`;
    const [kustomization] = readYamlFile(readFileSync(file, "utf8")) as readonly Record<
      "resources" | "components" | "configMapGenerator" | "patches",
      readonly (string | { files?: readonly string[]; path?: string })[] | undefined
    >[];
    const { resources = [], components = [], configMapGenerator = [], patches = [] } = kustomization!;
    const named = [...resources, ...components, ...configMapGenerator, ...patches].flatMap((each) =>
      typeof each === "string" ? [each] : [...(each.files ?? []), ...(each.path === undefined ? [] : [each.path])],
    );
    expect(named.length).toBeGreaterThan(0);
    for (const name of named) {
      const [, target = name] = /=(.+)$/.exec(name) ?? [];
      expect(() => readdirSync(dirname(join(dirname(file), target))), `${path}: ${name}`).not.toThrow();
    }
  }
});
