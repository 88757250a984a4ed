import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";

/** Debian's package. */
const program = "prometheus";

/** Why there is no Prometheus to test with; undefined = there is one. */
export const noPrometheus: string | undefined =
  spawnSync(program, ["--version"]).status === 0 ? undefined : "no prometheus on the PATH";

/** A Prometheus that scrapes one address each second. */
export interface TestPrometheus {
  /** The `data` of an answer of its API. */
  get(path: string, query: Readonly<Record<string, string>>): Promise<unknown>;
  close(): Promise<void>;
}

/** Starts a real Prometheus with these features on, scraping `http://TARGET/metrics`. */
export async function startPrometheus(target: string, features: readonly string[]): Promise<TestPrometheus> {
  const folder = mkdtempSync(path.join(tmpdir(), "signalbox-prometheus-"));
  const config = path.join(folder, "prometheus.yml");
  writeFileSync(
    config,
    `global: { scrape_interval: 1s, scrape_timeout: 1s }
scrape_configs: [{ job_name: signalbox, static_configs: [{ targets: ["${target}"] }] }]
`,
  );
  const child = spawn(
    program,
    [
      `--config.file=${config}`,
      `--storage.tsdb.path=${path.join(folder, "data")}`,
      "--web.listen-address=127.0.0.1:0",
      `--enable-feature=${features.join(",")}`,
    ],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const close = async (): Promise<void> => {
    child.kill("SIGKILL");
    await exited;
    rmSync(folder, { recursive: true, force: true });
  };
  const address = await new Promise<string | undefined>((resolve) => {
    createInterface(child.stderr).on("line", (line) => {
      const found = /msg="Listening on" address=(\S+)/.exec(line);
      if (found !== null) resolve(found[1]);
    });
    void exited.then(() => resolve(undefined));
  });
  if (address === undefined) {
    await close();
    throw new Error("prometheus ended before it listened");
  }
  return {
    async get(to, query) {
      const reply = await fetch(`http://${address}${to}?${new URLSearchParams(query)}`);
      return ((await reply.json()) as { data?: unknown }).data;
    },
    close,
  };
}
