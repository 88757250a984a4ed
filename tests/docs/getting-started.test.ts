import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startTestGateway } from "../../apps/gateway/src/end-to-end/test-gateway.ts";
import { createKey } from "../../apps/gateway/src/teams/keys.ts";
import { type Simulator, startSimulator } from "../../packages/simulator/src/index.ts";
import { fencesOf } from "./markdown.ts";
import { runCommand } from "./run-command.ts";

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

  /** What a command prints, with the addresses of the engines and the paths of files as the page has them. */
  async function printed(...[name, ...args]: Parameters<typeof runCommand>): Promise<string[]> {
    const [sglang = "", ollama = ""] = engines.map(({ url }) => url);
    return (await runCommand(name, ...args)).map((line) =>
      line
        .replace(sglang, "http://127.0.0.1:30000")
        .replace(ollama, "http://127.0.0.1:11434")
        .replaceAll(`${folder}/`, ""),
    );
  }

  const file = join(folder, "signalbox.yaml");

  test("shows what a scan, a check and an explanation print", async () => {
    const scanned = await printed("scan", ...engines.map(({ url }) => url), "--output", file);
    // The first line names the addresses that were looked at.
    expect(scanned).toEqual(expect.arrayContaining(shown(/is SGLang/).slice(1)));
    expect(await printed("check", file)).toEqual(expect.arrayContaining(shown(/open, no keys/)));
    const explained = await printed("explain", "--config", file, "--prompt", "What is the capital of France?");
    expect(explained).toEqual(expect.arrayContaining(shown(/^auto -> small/)));
  });

  test("shows what check prints of its policy, and of an error in it", async () => {
    const policy = blocks.find(({ language }) => language === "yaml")?.text ?? "";
    writeFileSync(file, policy);
    expect(await printed("check", file)).toEqual(expect.arrayContaining(shown(/2 of 2 tests/)));
    writeFileSync(file, policy.replace("60/min", "12 a minute"));
    expect(await printed("check", file)).toContain(shown(/12 a minute/)[0]);
  });

  test("shows what its policy answers: without a key, with one, and to `status`", async () => {
    const policy = blocks.find(({ language }) => language === "yaml")?.text ?? "";
    const { key, hash } = createKey();
    const gateway = await startTestGateway({
      engines: {
        sglang: { kind: "sglang", models: ["MiniMaxAI/MiniMax-M2"] },
        ollama: { kind: "ollama", models: ["qwen2.5:0.5b"] },
      },
      yaml: (urls) =>
        policy
          .replace(/^server:.*$/m, "server: { listen: 127.0.0.1:0, admin: 127.0.0.1:0, drain_delay: 0s, shed_lag: 0s }")
          .replace("http://127.0.0.1:30000", urls.sglang)
          .replace("http://127.0.0.1:11434", urls.ollama)
          .replace(/sha256:[0-9a-f]{64}/, hash),
    });
    try {
      const body = /-d '(\{.*\})'/.exec(blocks.map(({ text }) => text).join(""))?.[1] ?? "";
      const refused = await gateway.post("/v1/chat/completions", body);
      expect(`${await refused.text()}\n`).toBe(blocks.find(({ language }) => language === "json")?.text);
      const answer = await gateway.post("/v1/chat/completions", body, { authorization: `Bearer ${key}` });
      const head = shown(/^HTTP\/1.1 200/).slice(1);
      for (const line of head.filter((each) => !/request-id|route/.test(each)))
        expect(`${line.split(":")[0]}: ${answer.headers.get(line.split(":")[0] as string)}`).toBe(line);
      expect(answer.headers.get("x-request-id")).not.toBeNull();
      const status = await printed("status", "--admin", gateway.adminUrl);
      const cells = (lines: readonly string[]) => lines.slice(2, 5).map((line) => line.split(/ {2,}/).slice(0, 4));
      expect(cells(status)).toEqual(cells(shown(/^BACKEND/m)));
    } finally {
      await gateway.close();
    }
  });
});
