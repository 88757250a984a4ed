import { dialectNames } from "@signalbox/adapter";
import { expect, test } from "vitest";
import { loadConfig } from "./load.ts";
import { formatError } from "./problems.ts";

const load = (text: string) => loadConfig(text, { env: {}, fileName: "signalbox.yaml" });

async function errorsOf(text: string): Promise<readonly string[]> {
  const result = await load(text);
  return result.ok ? [] : result.errors.map(formatError);
}

async function deploymentsOf(text: string) {
  const result = await load(text);
  if (!result.ok) throw new Error(result.errors.map(formatError).join("\n"));
  return [...result.config.policy.models.values()].flatMap(({ deployments }) => deployments);
}

test("a deployment knows its dialect, and where its backend reads reasoning", async () => {
  const deployments = await deploymentsOf(`version: 1
backends:
  m2: { kind: sglang, url: "http://a", tool_parser: raw }
  gpu: { kind: vllm, url: "http://b", reasoning_history: inline }
  edge: { kind: ollama, url: "http://c" }
  api: { kind: openai, url: "http://d" }
models:
  m:
    on:
      - { backend: m2, dialect: minimax_m2, reasoning_first: true }
      - { backend: gpu, dialect: none }
      - { backend: gpu, model: other, reasoning_history: drop }
      - { backend: edge }
      - { backend: api }
`);
  expect(
    deployments.map(({ dialect, reasoningFirst, toolParser, reasoningHistory }) => {
      return [dialect, reasoningFirst, toolParser, reasoningHistory];
    }),
  ).toEqual([
    ["minimax_m2", true, "raw", "reasoning_content"],
    ["none", false, "engine", "inline"],
    ["auto", false, "engine", "drop"],
    ["auto", false, "engine", "reasoning"],
    ["auto", false, "engine", undefined],
  ]);
});

const withDialect = (word: string, model = "") => `version: 1
backends: { a: { kind: vllm, url: "http://a" } }
models:
  m: { on: [{ backend: a, dialect: ${word} }]${model} }
`;

test("every dialect is known by its name, and by the names that engines give it", async () => {
  for (const name of dialectNames) expect(await deploymentsOf(withDialect(name))).toMatchObject([{ dialect: name }]);
  expect(await deploymentsOf(withDialect("minimax-m2"))).toMatchObject([{ dialect: "minimax_m2" }]);
});

test("an unknown dialect is an error with the likely word", async () => {
  const [error, ...more] = await errorsOf(withDialect("minimx_m2"));
  expect(error).toContain("signalbox.yaml:4:36: models.m.on[0].dialect: «minimx_m2» is not a dialect");
  expect(error).toContain("did you mean «minimax_m2»?");
  expect(more).toEqual([]);
  expect((await errorsOf(withDialect("5"))).join()).toContain("models.m.on[0].dialect: ");
});

test("a model for embeddings alone has no dialect", async () => {
  const [error, ...more] = await errorsOf(withDialect("hermes", ", embeddings: true"));
  expect(error).toContain("signalbox.yaml:4:27: models.m.on[0].dialect: «m» is declared for embeddings alone");
  expect(more).toEqual([]);
  expect(await errorsOf(withDialect("hermes", ", embeddings: true, tools: true"))).toEqual([]);
});

test.each(["ollama", "foundry_local", "openai"])("%s has no raw mode", async (kind) => {
  const text = `version: 1
backends:
  a: { kind: ${kind}, url: "http://a", tool_parser: raw }
models: { m: { on: [{ backend: a }] } }
`;
  const [error, ...more] = await errorsOf(text);
  expect(error).toMatch(
    /^signalbox\.yaml:3:\d+: backends\.a\.tool_parser: .+ has no raw mode \(only sglang, vllm, llama_cpp have\)/,
  );
  expect(more).toEqual([]);
});
