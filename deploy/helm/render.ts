import { execFileSync } from "node:child_process";
import { repository } from "../tools.ts";

/** The version of Kubernetes that objects are rendered and checked for. */
export const kubernetesVersion = "1.31";

/**
 * What `helm template` makes of the chart, in a release of this name.
 * @throws Error with what helm says.
 */
export function renderChart(helm: string, args: readonly string[] = [], release = "signalbox"): string {
  const words = ["template", release, `${repository}deploy/helm/signalbox`, "--kube-version", `${kubernetesVersion}.0`];
  return execFileSync(helm, [...words, ...args], { stdio: "pipe", maxBuffer: 1 << 26 }).toString();
}
