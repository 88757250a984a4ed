import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Simulator, startSimulator } from "../../packages/simulator/src/index.ts";
import { fencesOf, textOf } from "./markdown.ts";
import { root } from "./repository.ts";

const page = "docs/getting-started.md";
const blocks = fencesOf(page);
/** The lines of the text block with such a line, but for those that the reader's own run has otherwise. */
function shown(line: RegExp): string[] {
  const block = blocks.find(({ language, text }) => language === "text" && line.test(text));
  if (block === undefined) throw new Error(`${page} shows nothing like ${line}`);
  return block.text.trimEnd().split("\n");
}

describe("docs/getting-started.md", () => {
  const folder = mkdtempSync(join(tmpdir(), "signalbox-started-"));
  const engines: Simulator[] = [];
  beforeAll(async () => {
    engines.push(await startSimulator({ kind: "sglang", models: ["MiniMaxAI/MiniMax-M2"] }));
    engines.push(await startSimulator({ kind: "ollama", models: ["qwen2.5:0.5b"] }));
  });
  afterAll(async () => {
    for (const engine of engines) await engine.close();
    rmSync(folder, { recursive: true });
  });

  /** Runs a command in the folder; addresses of the engines in what it prints become those of the page. */
  async function signalbox(...args: string[]): Promise<string[]> {
    const main = join(root, "apps/gateway/src/main.ts");
    const text = await new Promise<string>((resolve) => {
      execFile(process.execPath, [main, ...args], { cwd: folder }, (_error, stdout, stderr) =>
        resolve(stdout + stderr),
      );
    });
    const [sglang, ollama] = engines.map(({ url }) => url);
    return text
      .replaceAll(`${sglang}`, "http://127.0.0.1:30000")
      .replaceAll(`${ollama}`, "http://127.0.0.1:11434")
      .split("\n");
  }

  test("shows what a scan, a check and an explanation print", async () => {
    const scanned = await signalbox("scan", ...engines.map(({ url }) => url), "--output", "signalbox.yaml");
    // The first line names the addresses that were looked at.
    expect(scanned).toEqual(expect.arrayContaining(shown(/is SGLang/).slice(1)));
    expect(await signalbox("check", "signalbox.yaml")).toEqual(expect.arrayContaining(shown(/open, no keys/)));
    const explained = await signalbox("explain", "--prompt", "What is the capital of France?");
    expect(explained).toEqual(expect.arrayContaining(shown(/^auto -> small/)));
  });

  test("shows what check prints of its policy, and of an error in it", async () => {
    const policy = blocks.find(({ language }) => language === "yaml")?.text ?? "";
    const file = join(folder, "policy.yaml");
    writeFileSync(file, policy);
    const told = await signalbox("check", "policy.yaml");
    expect(told).toEqual(
      expect.arrayContaining(shown(/2 of 2 tests/).map((line) => line.replace("signalbox.yaml", "policy.yaml"))),
    );
    writeFileSync(file, policy.replace("60/min", "12 a minute"));
    const [broken = ""] = shown(/12 a minute/);
    expect(await signalbox("check", "policy.yaml")).toContain(broken.replace("signalbox.yaml", "policy.yaml"));
  });

  test("has the fields and the error that the code has", () => {
    const head = shown(/^HTTP\/1.1 200/).map((line) => line.split(":")[0]);
    expect(head.slice(1)).toEqual([
      "x-request-id",
      "x-signalbox-backend",
      "x-signalbox-model",
      "x-signalbox-route",
      "x-signalbox-attempts",
    ]);
    const { error } = JSON.parse(blocks.find(({ language }) => language === "json")?.text ?? "{}");
    expect(readFileSync(join(root, "apps/gateway/src/teams/keys.ts"), "utf8")).toContain(error.message.split("`")[0]);
    expect(textOf("docs/errors.md")).toContain(`### \`${error.code}\``);
  });
});
