import { readdirSync } from "node:fs";
import { renderChart } from "../helm/render.ts";
import { repository } from "../tools.ts";

const HEAD = "# Written by `pnpm kubernetes` from the Helm chart, deploy/helm/signalbox: change that.\n";
const POLICY_HEAD =
  "# Written by `pnpm kubernetes` from the values of the Helm chart. An overlay has a file of its own instead.\n";
const monitoring = ["servicemonitor.yaml", "prometheusrule.yaml"];

/** The files of the kustomize base and its component that are made from the chart, by their paths in deploy/. */
export function baseFiles(helm: string): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  const on = ["serviceMonitor", "prometheusRule"].flatMap((each) => ["--set", `${each}.enabled=true`]);
  for (const document of renderChart(helm, on).split(/^---\n/m)) {
    const [, source = "", text = ""] = /^# Source: signalbox\/templates\/(\S+)\n([\s\S]*)$/.exec(document) ?? [];
    if (source === "") continue;
    if (source === "configmap.yaml") {
      files.set("kubernetes/base/signalbox.yaml", `${POLICY_HEAD}${policyIn(text)}`);
      continue;
    }
    const folder = monitoring.includes(source) ? "components/monitoring" : "base";
    const path = `kubernetes/${folder}/${source}`;
    const before = files.get(path);
    files.set(path, before === undefined ? `${HEAD}${text}` : `${before}---\n${text}`);
  }
  files.set("grafana/kustomization.yaml", dashboards());
  return files;
}

/** The text behind `signalbox.yaml: |`, as it is in a file. */
function policyIn(configMap: string): string {
  const [, block = ""] = /^ {2}signalbox\.yaml: \|\n([\s\S]*)$/m.exec(configMap) ?? [];
  return `${block.replaceAll(/^ {4}/gm, "").trimEnd()}\n`;
}

/** Kustomize takes files from its own folder and below alone, so that this stands beside the dashboards. */
function dashboards(): string {
  const names = readdirSync(`${repository}deploy/grafana/dashboards`).filter((name) => name.endsWith(".json"));
  const each = names.toSorted().map((name) => {
    const map = `signalbox-dashboard-${name.replace(/\.json$/, "")}`;
    return `  - name: ${map}\n    files: [signalbox-${name}=dashboards/${name}]\n`;
  });
  return `# Written by \`pnpm kubernetes\`: the dashboards as ConfigMaps that Grafana's sidecar finds by their label.
# They are too large for \`kubectl apply\` on the client: use \`kubectl apply --server-side\`.
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
configMapGenerator:
${each.join("")}generatorOptions:
  disableNameSuffixHash: true
  labels: { grafana_dashboard: "1" }
  annotations: { grafana_folder: Signalbox }
`;
}
