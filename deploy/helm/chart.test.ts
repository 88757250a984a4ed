import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { loadConfig } from "../../apps/gateway/src/config/load.ts";
import { findTool, readYamlFile, repository, type Tree } from "../tools.ts";
import { renderChart } from "./render.ts";

const chart = `${repository}deploy/helm/signalbox/`;
const helm = findTool("helm");
const why = helm === undefined ? ": helm is missing (`pnpm deploy:verify` makes it)" : "";
const text = (name: string): string => readFileSync(`${chart}${name}`, "utf8");

/** What the chart makes, by kind and name. */
function rendered(...args: readonly string[]): ReadonlyMap<string, Tree> {
  const objects = readYamlFile(renderChart(helm!, args)) as readonly { kind: string; metadata: { name: string } }[];
  return new Map(objects.map((object) => [`${object.kind} ${object.metadata.name}`, object]));
}
const kinds = (objects: ReadonlyMap<string, Tree>) => new Set([...objects.keys()].map((name) => name.split(" ")[0]));

describe("the chart's files", () => {
  test("values have a schema that knows each of them and refuses others", () => {
    const schema = JSON.parse(text("values.schema.json")) as Tree;
    const [values] = readYamlFile(text("values.yaml"));
    const compare = (value: unknown, node: Tree, path: string): void => {
      const known = node.properties as Readonly<Record<string, Tree>> | undefined;
      if (known === undefined) return;
      expect(node.additionalProperties, path).toBe(false);
      const keys = Object.keys(value as object);
      expect(
        Object.keys(known)
          .filter((key) => key !== "global")
          .toSorted(),
        path,
      ).toEqual(keys.toSorted());
      for (const key of keys) compare((value as Tree)[key], known[key]!, `${path}.${key}`);
    };
    compare(values, schema, "values");
  });

  test("the policy of the values is sound, and serves nobody before it is given keys", async () => {
    const [values] = readYamlFile(text("values.yaml")) as readonly { policy: string }[];
    const loaded = await loadConfig(values!.policy, { env: {}, fileName: "signalbox.yaml" });
    expect(loaded.ok && loaded.config.teams?.size).toBe(1);
  });

  test("its version is the product's", () => {
    const { version } = JSON.parse(readFileSync(`${repository}package.json`, "utf8")) as { version: string };
    expect(readYamlFile(text("Chart.yaml"))[0]).toMatchObject({ version, appVersion: version });
  });

  test("rules and dashboards are those of deploy, by links", () => {
    expect(readdirSync(`${chart}files`).toSorted()).toEqual(["alerts.rules.yml", "dashboards", "recording.rules.yml"]);
    for (const name of readdirSync(`${chart}files`)) expect(existsSync(`${chart}files/${name}`), name).toBe(true);
    expect(statSync(`${chart}files/dashboards`).isDirectory()).toBe(true);
  });
});

describe.skipIf(helm === undefined)(`what the chart renders${why}`, () => {
  test("nothing of an operator unless it is asked for", () => {
    const own = ["ServiceAccount", "ConfigMap", "Deployment", "Service", "PodDisruptionBudget"];
    const all = [...own, "HorizontalPodAutoscaler", "NetworkPolicy"];
    expect(kinds(rendered())).toEqual(new Set(all));
    const least = kinds(rendered("--values", `${chart}ci/least.yaml`));
    expect(least).toEqual(new Set(["Deployment", "Service"]));
  });

  test("with everything: secrets as files, a token for scrapes, rules, dashboards, TLS", () => {
    const objects = rendered("--values", `${chart}ci/everything.yaml`);
    const pod = JSON.stringify(objects.get("Deployment signalbox"));
    expect(pod).toContain('"secret":{"secretName":"signalbox-secrets","defaultMode":288}');
    expect(pod).toContain('{"name":"secrets","mountPath":"/run/secrets/signalbox","readOnly":true}');
    expect(pod).toContain("registry.example.com/signalbox@sha256:0000");
    expect(pod).toMatch(/"signalbox\.dev\/policy":"[0-9a-f]{64}"/);
    expect(JSON.stringify(objects.get("ServiceMonitor signalbox"))).toContain('"key":"prometheus.token"');
    expect(JSON.stringify(objects.get("PrometheusRule signalbox"))).toContain("{{ $labels");
    const ingress = objects.get("Ingress signalbox") as { metadata: { annotations: Tree }; spec: Tree };
    expect(ingress.metadata.annotations).toHaveProperty(["nginx.ingress.kubernetes.io/proxy-buffering"], "off");
    expect(ingress.spec.tls).toEqual([{ hosts: ["signalbox.example.com"], secretName: "signalbox-tls" }]);
  });

  test("dashboards are whole, and small enough to be kept", () => {
    const objects = rendered("--set", "dashboards.enabled=true");
    for (const file of readdirSync(`${chart}files/dashboards`).filter((name) => name.endsWith(".json"))) {
      const map = objects.get(`ConfigMap signalbox-dashboard-${file.replace(".json", "")}`) as { data: Tree };
      const kept = map.data[`signalbox-${file}`] as string;
      expect(JSON.parse(kept)).toEqual(JSON.parse(text(`files/dashboards/${file}`)));
      expect(Buffer.byteLength(kept)).toBeLessThan(1024 * 1024);
    }
  });

  test("a policy of one's own takes the place of the one in the values, to the letter", async () => {
    const objects = rendered("--values", `${chart}ci/everything.yaml`);
    const { data } = objects.get("ConfigMap signalbox-policy") as { data: Readonly<Record<string, string>> };
    const env = { ENGINE_KEY: "from-the-environment" };
    const readFile = async () => "a-secret-from-a-file";
    const loaded = await loadConfig(data["signalbox.yaml"]!, { env, fileName: "signalbox.yaml", readFile });
    expect(loaded.ok ? [...(loaded.config.teams?.keys() ?? [])] : loaded.errors).toEqual(["search"]);
  });

  test("a value that is not known is refused", () => {
    expect(() => rendered("--set", "policy.version=1")).toThrow("'/policy': got object, want string");
    expect(() => rendered("--set", "replica=3")).toThrow("additional properties 'replica' not allowed");
    expect(() => rendered("--set", "networkPolicy.client=x")).toThrow("'client' not allowed");
  });

  test("two releases in one namespace do not meet", () => {
    const names = (release: string) =>
      [...renderChart(helm!, [], release).matchAll(/^kind: (\S+)\nmetadata:\n {2}name: (\S+)$/gm)].map(
        ([, kind, name]) => `${kind} ${name}`,
      );
    expect(names("a")).toContain("Deployment a-signalbox");
    expect(names("a").filter((name) => names("b").includes(name))).toEqual([]);
  });
});
