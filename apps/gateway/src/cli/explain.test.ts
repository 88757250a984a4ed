import { expect, test } from "vitest";
import { loadConfig } from "../config/load.ts";
import { explainRequest, formatExplanation } from "./explain.ts";

const policy = `
version: 1
backends:
  big: { kind: sglang, url: "http://127.0.0.1:30000" }
  edge: { kind: ollama, url: "http://127.0.0.1:11434" }
  cloud: { kind: openai, url: "https://api.example.com" }
models:
  large: { on: [{ backend: big, model: MiniMaxAI/MiniMax-M2 }, { backend: cloud, model: m2 }], tools: true, context: 196k }
  small: { on: [{ backend: edge, model: "qwen2.5:0.5b" }], tools: false, context: 4k, fallback: [large] }
routing:
  - { name: purpose, when: { header.x-purpose: batch }, use: large }
  - { name: easy, when: { complexity: simple }, use: small }
  - { name: rest, use: large }
teams:
  search: { keys: ["sha256:${"a".repeat(64)}"], models: [small] }
  payments: { keys: ["sha256:${"b".repeat(64)}"], data: local_only }
`;

async function ask(prompt: string, more: { tools?: boolean; team?: string; headers?: Record<string, string> } = {}) {
  const loaded = await loadConfig(policy, { env: {}, fileName: "policy.yaml" });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.errors));
  const { tools = false, team, headers = {} } = more;
  const tool = { type: "function", function: { name: "look_up", parameters: {} } };
  const body = { model: "auto", messages: [{ role: "user", content: prompt }], ...(tools && { tools: [tool] }) };
  return explainRequest(loaded.config, { endpoint: "chat_completions", body, headers, team });
}

test("an easy prompt goes to the small model, with its fallback behind it and who serves them", async () => {
  const explanation = await ask("What is the capital of France?");
  expect(explanation).toMatchObject({
    model: "small",
    complexity: "simple",
    reason: "easy: complexity simple -> small",
    chain: [
      { model: "small", context: 4000, candidates: [{ backend: "edge", kind: "ollama", model: "qwen2.5:0.5b" }] },
      {
        model: "large",
        candidates: [
          { backend: "big", kind: "sglang", url: "http://127.0.0.1:30000", hosted: false },
          { backend: "cloud", kind: "openai", hosted: true },
        ],
      },
    ],
  });
  const text = formatExplanation("auto", explanation);
  expect(text).toContain("auto -> small");
  expect(text).toContain("edge   ollama at http://127.0.0.1:11434: qwen2.5:0.5b");
});

test("a hosted backend is marked, and none is a candidate for a team whose data stays local", async () => {
  const everywhere = await ask("Prove it step by step.");
  expect(formatExplanation("auto", everywhere)).toContain("cloud  openai at https://api.example.com (hosted): m2");
  const { chain } = await ask("Prove it step by step.", { team: "payments" });
  expect(chain.flatMap(({ candidates }) => candidates).filter(({ hosted }) => hosted)).toEqual([]);
  expect(chain.at(-1)).toMatchObject({ model: "large", candidates: [{ backend: "big" }] });
});

test("a hard prompt goes to the large model", async () => {
  const { model, complexity, score } = await ask("Prove step by step that the square root of 2 is irrational.");
  expect([model, complexity]).toEqual(["large", "complex"]);
  expect(score).toBeGreaterThan(0.65);
});

test("says the complexity even where no rule asks for it", async () => {
  const { reason, complexity } = await ask("hi", { headers: { "x-purpose": "batch" } });
  expect([reason, complexity]).toEqual(["purpose: header x-purpose -> large", "simple"]);
});

test("a model that lacks what the request needs is left out, and that is said", async () => {
  const { model, reasons } = await ask("hi", { tools: true });
  expect(model).toBe("large");
  expect(reasons).toContain("small: no tools");
});

test("a team that may not use auto gets the error that it would get", async () => {
  await expect(ask("hi", { team: "search" })).rejects.toMatchObject({ code: "model_not_allowed" });
});
