import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { readCommandLine, runSimulator } from "./main.ts";
import { parseScript } from "./script.ts";

const folder = mkdtempSync(join(tmpdir(), "simulator-"));
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(() => {
  process.exitCode = 0;
});

describe("the command line", () => {
  test("becomes options", async () => {
    const script = join(folder, "script.json");
    writeFileSync(script, '[{"reply": {"text": "hi"}}]');
    const args = ["--kind", "vllm", "--port", "0", "--model", "a", "--model", "b", "--script", script];
    const more = [
      "--tokens-per-second",
      "50",
      "--first-token-ms",
      "20",
      "--slots",
      "2",
      "--queue",
      "3",
      "--load-ms",
      "4",
      "--seed",
      "5",
    ];
    expect(await readCommandLine([...args, ...more, "--api-key", "k", "--no-tool-parser"])).toEqual({
      kind: "vllm",
      port: 0,
      models: ["a", "b"],
      script: [{ when: {}, reply: { text: "hi" } }],
      tokensPerSecond: 50,
      firstTokenMs: 20,
      slots: 2,
      queue: 3,
      loadMs: 4,
      seed: 5,
      apiKey: "k",
      toolParser: false,
    });
  });

  test.each([
    [["--port", "1"], "--kind is missing"],
    [["--kind", "vllm", "--port", "x"], '--port needs a number, not "x"'],
    [["--kind", "tgi", "--port", "0"], "kind"],
    [["--kind", "vllm", "--colour", "red"], "--colour"],
  ])("%j is refused in one line that names it", async (args, named) => {
    const lines: string[] = [];
    await runSimulator(
      args,
      () => {},
      (line) => lines.push(line),
    );
    expect(lines[0]).toContain(named);
    expect(process.exitCode).toBe(1);
  });

  test("a taken port is named", async () => {
    const blocker = createServer();
    await new Promise<void>((resolve) => blocker.listen(0, "127.0.0.1", resolve));
    const address = blocker.address();
    const port = String(typeof address === "object" ? address?.port : "");
    const lines: string[] = [];
    await runSimulator(
      ["--kind", "vllm", "--port", port],
      () => {},
      (line) => lines.push(line),
    );
    expect(lines[0]).toBe(`simulator: port ${port} is taken by another program; choose another with --port`);
    blocker.close();
  });
});

describe("a script file", () => {
  test.each([
    ["{", "not JSON"],
    ['{"rule": []}', "expected a list of rules"],
    ['[{"reply": {"txt": "x"}}]', "rule 0.reply"],
    ['[{"when": {"turn": -1}, "reply": {}}]', "rule 0.when.turn"],
  ])("%s is refused with its place", (text, named) => {
    expect(() => parseScript(text, "s.json")).toThrow(named);
  });
});
