import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "vitest";
import { checkConfig } from "./check.ts";

const folder = mkdtempSync(path.join(tmpdir(), "signalbox-check-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function check(tests: string) {
  const file = path.join(folder, "signalbox.yaml");
  writeFileSync(
    file,
    `version: 1
backends: { a: { kind: vllm, url: "http://127.0.0.1:8000" } }
models:
  large: { on: [{ backend: a, model: l }], tools: true, context: 100k }
  small: { on: [{ backend: a, model: s }], aliases: [gpt-4o-mini], context: 2k }
routing:
  - { name: agents, when: { has_tools: true }, use: large }
  - { name: tiers, when: { header.x-tier: gold }, use: large }
  - { when: { team: search, tokens: "< 100" }, use: small }
  - { use: large }
teams:
  search: { keys: ["sha256:${"1".repeat(64)}"], models: [auto] }
tests:
${tests}`,
  );
  return checkConfig(file, {});
}

test("runs the tests of a file and says where each request goes, and why", async () => {
  const { ok, output } = await check(`
  - { name: short, request: { team: search, prompt: hi }, expect: { model: gpt-4o-mini, reason: routing.2 } }
  - { name: tools, request: { team: search, prompt: hi, tools: [{ type: function, function: { name: f } }] }, expect: { model: large, reason: agents } }
  - { name: header, request: { prompt: hi, headers: { X-Tier: gold } }, expect: { reason: tiers } }
  - { name: talk, request: { messages: [{ role: user, content: hi }] }, expect: { model: large } }
  - { name: named, request: { model: small, prompt: hi }, expect: { model: small } }
  - { name: forbidden, request: { team: search, model: small, prompt: hi }, expect: { error: model_not_allowed } }
  - { name: nowhere, request: { model: tiny, prompt: hi }, expect: { error: model_not_found } }
`);
  expect(output).toContain("ok: 1 backend, 2 models, 4 rules, 1 team");
  expect(output).toContain("7 of 7 tests passed");
  expect(output).toMatch(/pass {2}short: small \(routing\.2: .* -> small\)/);
  expect(ok).toBe(true);
});

test("a test that fails is named with what came instead and its line", async () => {
  const { ok, output } = await check(`  - { name: good, request: { prompt: hi }, expect: { model: large } }
  - { name: wrong model, request: { prompt: hi }, expect: { model: small } }
  - { name: wrong reason, request: { prompt: hi }, expect: { model: large, reason: agents } }
  - { name: no error, request: { prompt: hi }, expect: { error: model_not_found } }
  - { name: an error, request: { model: nope, prompt: hi }, expect: { reason: there is no model } }
  - { name: bad body, request: { messages: [] }, expect: { model: large } }
`);
  expect(ok).toBe(false);
  const failures = output.split("\n").filter((line) => line.includes("FAIL"));
  expect(failures.map((line) => line.split(", got")[0])).toEqual([
    "  FAIL  wrong model: expected the model small",
    "  FAIL  wrong reason: expected «agents» in the reason",
    "  FAIL  no error: expected the error model_not_found",
    "  FAIL  an error: expected no error",
    "  FAIL  bad body: expected the model large",
  ]);
  expect(output).toContain(`signalbox.yaml:15`);
  expect(output).toContain("1 of 6 tests passed");
});

test("a file that is not there is an error with its name", async () => {
  const { ok, output } = await checkConfig(path.join(folder, "nowhere.yaml"), {});
  expect(ok).toBe(false);
  expect(output).toContain("nowhere.yaml:1:1: there is no such file");
});

test("tells of keys that have expired or soon will, and passes all the same", async () => {
  const soon = new Date(Date.now() + 3 * 86_400_000).toISOString();
  const file = path.join(folder, "keys.yaml");
  writeFileSync(
    file,
    `version: 1
backends: { a: { kind: vllm, url: "http://a" } }
models: { m: { on: [{ backend: a }] } }
teams:
  search:
    keys:
      - { hash: "sha256:${"1".repeat(64)}", name: old, expires: 2020-01-31 }
      - { hash: "sha256:${"2".repeat(64)}", name: ending, expires: "${soon}" }
      - { hash: "sha256:${"3".repeat(64)}", name: long, expires: 2120-01-31 }
`,
  );
  const { ok, output } = await checkConfig(file, {});
  expect(ok).toBe(true);
  const warnings = output.split("\n").filter((line) => line.includes("warning"));
  expect(warnings).toEqual([
    "  warning: teams.search.keys[0]: the key «old» has expired: 2020-01-31T00:00:00.000Z; take it out, or make another",
    `  warning: teams.search.keys[1]: the key «ending» expires soon: ${soon}`,
  ]);
});
