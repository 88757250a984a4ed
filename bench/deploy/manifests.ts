import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { kubernetesVersion, renderChart } from "../../deploy/helm/render.ts";
import { baseFiles } from "../../deploy/kubernetes/base-files.ts";
import { findTool, installTool, readYamlFile, repository, type Tool } from "../../deploy/tools.ts";
import type { Finding } from "./finding.ts";

const chart = `${repository}deploy/helm/signalbox`;
/** The most that `systemd-analyze security` may say of a unit, in tenths; a plain one has 96. */
const MOST_EXPOSED = 20;

/** The Helm chart: lint, what it renders for each file of values, and whether the kustomize base is what it renders. */
export function checkChart(): Finding[] {
  return withTool("helm", "the Helm chart", (helm) => [
    looked("helm lint", () => lastLine(run(helm, ["lint", "--strict", chart]))),
    ...["values.yaml", ...readdirSync(`${chart}/ci`).map((name) => `ci/${name}`)].flatMap((name) =>
      checkObjects(`helm template --values ${name}`, () => renderChart(helm, ["--values", `${chart}/${name}`])),
    ),
    looked("the kustomize base is what the chart renders", () => {
      const files = [...baseFiles(helm)];
      const stale = files.filter(([path, text]) => readFileSync(`${repository}deploy/${path}`, "utf8") !== text);
      if (stale.length > 0) throw new Error(`run pnpm kubernetes: ${stale.map(([path]) => path).join(", ")}`);
      return `${files.length} files`;
    }),
  ]);
}

/** What kustomize makes of the base and of the overlay that is the example. */
export function checkKustomize(): Finding[] {
  const kubectl = findTool("kubectl");
  const build = (program: string, words: readonly string[]): Finding[] =>
    ["base", "overlays/example"].flatMap((name) =>
      checkObjects(`kustomize ${name}`, () => run(program, [...words, `${repository}deploy/kubernetes/${name}`])),
    );
  return kubectl === undefined
    ? withTool("kustomize", "kustomize", (kustomize) => build(kustomize, ["build"]))
    : build(kubectl, ["kustomize"]);
}

/** The compose file, by compose's reference implementation. */
export function checkCompose(): Finding[] {
  return withTool("cmd", "the compose file", (checker) => [
    looked("compose file, read by compose-go", () => {
      const [read] = readYamlFile(run(checker, [`${repository}deploy/compose/compose.yaml`]));
      return `${Object.keys(read?.services as object).length} services`;
    }),
  ]);
}

/** The systemd unit, by systemd. */
export function checkUnit(): Finding[] {
  const what = "systemd-analyze";
  const analyze = findTool("systemd-analyze");
  if (analyze === undefined)
    return [{ what, ok: undefined, seen: "systemd-analyze is missing (apt-get install systemd)" }];
  const unit = `${repository}deploy/systemd/signalbox.service`;
  const threshold = `--threshold=${MOST_EXPOSED}`;
  return [
    // Whether Node stands where the unit says is not the unit's fault.
    looked(
      `${what} verify`,
      () => run(analyze, ["verify", unit], /is not executable|No such file/) || "nothing to say",
    ),
    looked(`${what} security`, () => lastLine(run(analyze, ["security", "--offline=true", threshold, unit]))),
  ];
}

/** Renders objects, and holds them to the schemas of Kubernetes: no key that it does not know. */
function checkObjects(what: string, render: () => string): Finding[] {
  return withTool("kubernetes-validate", what, (validate) => [
    looked(what, () => {
      const folder = mkdtempSync(join(tmpdir(), "signalbox-manifests-"));
      try {
        const text = render();
        writeFileSync(join(folder, "objects.yaml"), text);
        run(validate, ["--strict", "--no-warn", "-k", kubernetesVersion, join(folder, "objects.yaml")]);
        const objects = readYamlFile(text);
        for (const object of objects) checkOperatorObject(object);
        return `${objects.length} objects`;
      } finally {
        rmSync(folder, { recursive: true });
      }
    }),
  ]);
}

/** What the Prometheus operator wants of its objects: Kubernetes has no schema of them. */
function checkOperatorObject({ kind, spec }: { readonly kind?: unknown; readonly spec?: unknown }): void {
  const { groups, endpoints, selector } = (spec ?? {}) as {
    groups?: readonly { name?: string; rules?: readonly { expr?: string; record?: string; alert?: string }[] }[];
    endpoints?: readonly { port?: string }[];
    selector?: { matchLabels?: object };
  };
  if (kind === "ServiceMonitor" && !(endpoints?.[0]?.port && selector?.matchLabels))
    throw new Error("the ServiceMonitor selects nothing");
  if (kind !== "PrometheusRule") return;
  const rules = groups?.flatMap(({ name, rules = [] }) => (name === undefined ? [] : rules)) ?? [];
  const wrong = rules.filter(({ expr, record, alert }) => !expr || (record === undefined) === (alert === undefined));
  if (rules.length === 0 || wrong.length > 0) throw new Error(`${wrong.length} of ${rules.length} rules are none`);
}

/** Looks with a tool, or says that it is missing. */
function withTool(tool: Tool, what: string, look: (path: string) => Finding[]): Finding[] {
  const found = installTool(tool);
  return "path" in found ? look(found.path) : [{ what, ok: undefined, seen: found.reason }];
}

function looked(what: string, look: () => string): Finding {
  try {
    return { what, ok: true, seen: look() };
  } catch (error) {
    return { what, ok: false, seen: saidBy(error) };
  }
}

function saidBy(error: unknown): string {
  const { stdout = "", stderr = "", message } = error as Error & { stdout?: Buffer | string; stderr?: Buffer | string };
  return (`${stdout}${stderr}`.trim() || message).split("\n").slice(-3).join(" | ");
}

/** @throws Error where it ends with a code, unless what it says is forgiven. */
function run(program: string, args: readonly string[], forgiven?: RegExp): string {
  try {
    return execFileSync(program, args, { stdio: "pipe", maxBuffer: 1 << 26 }).toString();
  } catch (error) {
    if (forgiven?.test(saidBy(error))) return saidBy(error);
    throw error;
  }
}

const lastLine = (text: string): string => text.trim().split("\n").at(-1) ?? "";
