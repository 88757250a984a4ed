import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { type Simulator, startSimulator } from "@signalbox/simulator";
import { afterEach, expect, test } from "vitest";
import { loadConfig } from "../config/load.ts";
import { composePolicy } from "./compose-policy.ts";
import { renderPolicy } from "./render-policy.ts";
import { scanEngines, targetAddress } from "./scan-engines.ts";

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()));
});

async function simulate(input: Parameters<typeof startSimulator>[0]): Promise<Simulator> {
  const simulator = await startSimulator(input);
  closing.push(() => simulator.close());
  return simulator;
}

async function serve(handler: Parameters<typeof createServer>[1]): Promise<string> {
  const server: Server = createServer(handler);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closing.push(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function load(text: string) {
  const loaded = await loadConfig(text, { env: {}, fileName: "scanned.yaml" });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.errors));
  return loaded.config;
}

test("recognises all six kinds, whatever port they are on", async () => {
  const kinds = ["sglang", "vllm", "ollama", "foundry_local", "llama_cpp", "openai"] as const;
  const simulators = await Promise.all(kinds.map((kind) => simulate({ kind })));
  const { engines } = await scanEngines({ targets: simulators.map(({ url }) => url) });
  expect(engines.map(({ kind }) => kind)).toEqual(kinds);
  expect(engines.every(({ simulated, status }) => simulated && status === "ready")).toBe(true);
  expect(engines[0]!.models.map(({ id }) => id)).toEqual(["MiniMaxAI/MiniMax-M2"]);
});

test("writes a policy that loads: the largest model is large, the smallest small, any engine may die", async () => {
  const big = await simulate({ kind: "sglang" });
  const coder = await simulate({ kind: "vllm", models: ["Qwen/Qwen2.5-Coder-32B-Instruct"] });
  const edge = await simulate({ kind: "ollama", models: ["qwen2.5:0.5b", "nomic-embed-text:latest"] });
  const { engines, others } = await scanEngines({ targets: [big.url, coder.url, edge.url] });
  const { policy, teams, backends } = await load(renderPolicy(composePolicy(engines), { others }));
  expect(teams).toBeUndefined();
  expect([...backends.values()].map(({ url }) => url)).toEqual([big.url, coder.url, edge.url]);
  const model = (name: string) => policy.models.get(name)!;
  expect(model("large").deployments[0]!.model).toBe("MiniMaxAI/MiniMax-M2");
  expect(model("large").context).toBe(196_608);
  expect(model("large").fallback).toEqual(["qwen2.5-coder-32b-instruct"]);
  expect(model("qwen2.5-coder-32b-instruct").fallback).toEqual(["spare"]);
  expect(model("small").deployments[0]!.id).toBe("ollama/qwen2.5:0.5b");
  expect(model("small").fallback).toEqual(["large"]);
  expect(model("nomic-embed-text:latest").capabilities.embeddings).toBe(true);
  expect(policy.aliases.get("MiniMaxAI/MiniMax-M2")).toBe("large");
  expect(policy.rules.map(({ use }) => use)).toEqual(["small", "large"]);
});

test("one model on two engines is one model with two deployments, and keeps its name", async () => {
  const [a, b] = [await simulate({ kind: "sglang" }), await simulate({ kind: "sglang" })];
  const { engines } = await scanEngines({ targets: [a.url, b.url] });
  const { policy } = await load(renderPolicy(composePolicy(engines)));
  expect([...policy.models.keys()]).toEqual(["minimax-m2"]);
  expect(policy.models.get("minimax-m2")!.deployments.map(({ backend }) => backend)).toEqual(["sglang", "sglang-2"]);
});

test("names from engines cannot break out of the file", async () => {
  const models = [
    "auto",
    "large",
    "small",
    "a: b",
    "x # y",
    "$" + "{HOME}",
    'q"uote',
    "new\nline",
    "yes",
    "1.5",
    "a/b",
    "c/b",
  ];
  const odd = await simulate({ kind: "openai", models });
  const { engines } = await scanEngines({ targets: [odd.url] });
  const { policy, backends } = await load(renderPolicy(composePolicy(engines)));
  // Who is behind a server of that sort only its owner knows.
  expect([...backends.values()].map(({ hosted }) => hosted)).toEqual([true]);
  expect(renderPolicy(composePolicy(engines))).toContain("# hosted: false");
  const served = [...policy.models.values()].flatMap(({ deployments }) => deployments.map(({ model }) => model));
  expect(new Set(served)).toEqual(new Set(["auto", "large", "small", 'q"uote', "yes", "1.5", "a/b", "c/b"]));
});

test("a gateway of our own is not taken for an engine", async () => {
  const body = JSON.stringify({ object: "list", data: [{ id: "auto", object: "model", owned_by: "signalbox" }] });
  const gateway = await serve((_, response) => response.setHeader("content-type", "application/json").end(body));
  const { engines, others } = await scanEngines({ targets: [gateway] });
  expect(engines).toEqual([]);
  expect(others).toEqual([{ address: gateway, what: "is a Signalbox gateway" }]);
});

test("says of what it does not take why: a web server, a closed engine, one that hangs", async () => {
  const web = await serve((_, response) => response.end("<html>hello</html>"));
  const closed = await serve((_, response) => response.writeHead(401).end("{}"));
  const hanging = await serve(() => {});
  const { engines, others } = await scanEngines({ targets: [web, closed, hanging], timeoutMs: 1000 });
  expect(engines).toEqual([]);
  expect(others.map(({ what }) => what)).toEqual([
    "answers, but is no engine that is known",
    "wants a key: give it as api_key",
    "takes connections, but did not answer in time",
  ]);
});

test("nothing there is nothing found, at once", async () => {
  const gone = await serve(() => {});
  await closing.pop()!();
  const started = performance.now();
  expect(await scanEngines({ targets: [gone] })).toEqual({ engines: [], others: [], addresses: [gone] });
  expect(performance.now() - started).toBeLessThan(1000);
});

test("an engine that loads its model is there, without models", async () => {
  const loading = await simulate({ kind: "llama_cpp", loadMs: 60_000 });
  const ready = await simulate({ kind: "vllm" });
  const { engines } = await scanEngines({ targets: [loading.url, ready.url] });
  expect(engines).toMatchObject([{ kind: "llama_cpp", status: "loading", models: [] }, { status: "ready" }]);
  const text = renderPolicy(composePolicy(engines));
  expect(text).toContain("# llama.cpp, simulated, loading: 503 on /health");
  expect((await load(text)).backends.size).toBe(2);
});

test("an address may come without a scheme and with a path, and must be one", () => {
  expect(targetAddress("127.0.0.1:8000")).toBe("http://127.0.0.1:8000");
  expect(targetAddress("http://localhost:8000/v1")).toBe("http://localhost:8000");
  expect(() => targetAddress("ftp://x")).toThrow("not an address");
});
