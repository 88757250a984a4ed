import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
// The gateway's own dependency: the repository's root has none that reads YAML.
import { parseAllDocuments } from "../apps/gateway/node_modules/yaml/dist/index.js";

/** The folder that this one is in, with a slash behind it. */
export const repository = fileURLToPath(new URL("../", import.meta.url));

const cache = join(homedir(), ".cache/signalbox-tools");
const places = [join(homedir(), "go/bin"), join(cache, "bin"), join(cache, "python/bin")];
/** What `go install` and pip make a tool from. */
const sources = {
  helm: { go: "helm.sh/helm/v3/cmd/helm@v3.17.3" },
  kustomize: { go: "sigs.k8s.io/kustomize/kustomize/v5@v5.5.0" },
  "kubernetes-validate": { pip: "kubernetes-validate==1.37.0" },
  // The reference implementation's own checker.
  cmd: { go: "github.com/compose-spec/compose-go/v2/cmd@v2.16.2" },
} as const satisfies Record<string, { readonly go?: string; readonly pip?: string }>;

/** A program that deploy files are checked with, by the name of its file. */
export type Tool = keyof typeof sources;

/** Where a tool is: on PATH, or where `installTool` puts it; undefined = nowhere. */
export function findTool(tool: Tool | "kubectl" | "systemd-analyze"): string | undefined {
  // Every package has a command of its own that is called so.
  const onPath = tool === "cmd" ? [] : (process.env.PATH ?? "").split(":");
  return [...onPath, ...places].map((folder) => join(folder, tool)).find((file) => existsSync(file));
}

/** Finds a tool, or makes it: in ~/.cache/signalbox-tools, by Go or pip. A reason in words where neither can. */
export function installTool(tool: Tool): { readonly path: string } | { readonly reason: string } {
  const found = findTool(tool);
  if (found !== undefined) return { path: found };
  const source: { readonly go?: string; readonly pip?: string } = sources[tool];
  try {
    if (source.go !== undefined) install("go", ["install", source.go], { GOBIN: join(cache, "bin") });
    else {
      install("python3", ["-m", "venv", join(cache, "python")]);
      install(join(cache, "python/bin/pip"), ["install", "--quiet", source.pip as string]);
    }
  } catch (error) {
    return { reason: `${tool} is missing, and cannot be made: ${(error as Error).message.split("\n")[0]}` };
  }
  const path = findTool(tool);
  return path === undefined ? { reason: `${tool} is missing` } : { path };
}

function install(program: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): void {
  const PATH = `${process.env.PATH}:/usr/local/go/bin`;
  execFileSync(program, args, { env: { ...process.env, PATH, ...env }, stdio: "pipe", timeout: 400_000 });
}

/** A Kubernetes object, or what else a YAML file holds. */
export type Tree = { readonly [key: string]: unknown };

/**
 * Every document of a YAML text that is not empty; merge keys are followed.
 * @throws Error at the first thing that is no YAML, a key that is there twice among them.
 */
export function readYamlFile(text: string): readonly Tree[] {
  return parseAllDocuments(text, { merge: true }).flatMap((document) => {
    const [error] = document.errors;
    if (error !== undefined) throw error;
    const value = document.toJS();
    return value === null ? [] : [value as Tree];
  });
}
