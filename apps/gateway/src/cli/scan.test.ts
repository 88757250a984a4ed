import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { type Simulator, startSimulator } from "@signalbox/simulator";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { check } from "./check.ts";
import { explain } from "./explain.ts";
import { scan } from "./scan.ts";

let folder: string;
let simulator: Simulator;
const file = (name: string): string => path.join(folder, name);
const log = vi.spyOn(console, "log").mockImplementation(() => {});
vi.spyOn(console, "error").mockImplementation(() => {});
const stdout = vi.spyOn(process.stdout, "write").mockImplementation(() => true);
vi.spyOn(process.stderr, "write").mockImplementation(() => true);

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "signalbox-scan-"));
  simulator = await startSimulator({ kind: "vllm" });
});
afterEach(() => vi.clearAllMocks());
afterAll(async () => {
  await simulator.close();
  await rm(folder, { recursive: true });
  vi.restoreAllMocks();
});

test("scan writes a file that check accepts and explain reads, and keeps one that is there", async () => {
  expect(await scan.run([simulator.url, "--output", file("a.yaml")])).toBe(0);
  expect(await check.run([file("a.yaml")])).toBe(0);
  expect(await explain.run(["--config", file("a.yaml"), "--prompt", "hi", "--json"])).toBe(0);
  expect(JSON.parse(String(log.mock.lastCall![0]))).toMatchObject({
    model: "phi-3.5-mini-instruct",
    complexity: "simple",
  });

  await writeFile(file("b.yaml"), "mine");
  expect(await scan.run([simulator.url, "-o", file("b.yaml")])).toBe(1);
  expect(await readFile(file("b.yaml"), "utf8")).toBe("mine");
  expect(await scan.run([simulator.url, "-o", file("b.yaml"), "--force"])).toBe(0);
  expect(await readFile(file("b.yaml"), "utf8")).toBe(await readFile(file("a.yaml"), "utf8"));
});

test("scan writes to standard output unless told where", async () => {
  expect(await scan.run([simulator.url])).toBe(0);
  expect(String(stdout.mock.lastCall![0])).toContain("kind: vllm");
});

test("scan that finds nothing, or no address, is no success", async () => {
  const gone = await startSimulator({ kind: "vllm" });
  await gone.close();
  expect(await scan.run([gone.url])).toBe(1);
  await expect(scan.run(["::nonsense::"])).rejects.toThrow("is not an address");
});

test("check fails on a file that is wrong, and on one that is not there", async () => {
  await writeFile(file("wrong.yaml"), "version: 1\nbackend: {}\n");
  expect(await check.run([file("wrong.yaml")])).toBe(1);
  expect(await check.run([file("nowhere.yaml")])).toBe(1);
  await expect(check.run(["a", "b"])).rejects.toThrow("one file");
});

test("explain reads a request from a file, and shows the error that it would end in", async () => {
  await writeFile(file("request.json"), JSON.stringify({ model: "nope", messages: [{ role: "user", content: "hi" }] }));
  const config = ["--config", file("a.yaml")];
  expect(await explain.run([...config, "--request", file("request.json")])).toBe(1);
  expect(String(log.mock.lastCall![0])).toMatch(/^nope -> 404 model_not_found\n.*phi-3.5-mini-instruct/);
  expect(await explain.run([...config, "--request", file("request.json"), "--model", "auto"])).toBe(0);
  await expect(explain.run(config)).rejects.toThrow("--prompt TEXT or --request FILE");
  await expect(explain.run([...config, "--prompt", "hi", "--team", "nobody"])).rejects.toThrow("no team «nobody»");
});
