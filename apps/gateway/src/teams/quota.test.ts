import { expect, test } from "vitest";
import { loadConfig } from "../config/load.ts";
import { createQuotaIndex } from "./quota.ts";

const policy = `version: 1
backends: { a: { kind: vllm, url: "http://127.0.0.1:8000" } }
models:
  large: { on: [{ backend: a }], aliases: [big], limits: { requests: 50/s, concurrent: 40 } }
  small: { on: [{ backend: a }] }
teams:
  payments:
    keys: ["sha256:${"a".repeat(64)}"]
    limits:
      requests: [5/s, 100/min]
      tokens: 200k/min
      input_tokens: 150k/min
      output_tokens: 1M/day
      concurrent: 16
      per_key: { requests: 60/min }
      per_model: { big: { tokens: 10k/hour } }
  free: { keys: ["sha256:${"b".repeat(64)}"] }
`;

async function setUp() {
  const loaded = await loadConfig(policy, { env: {}, fileName: "x.yaml" });
  if (!loaded.ok) throw new Error(loaded.errors.map(({ message }) => message).join());
  const { quotasOf } = createQuotaIndex(loaded.config);
  const of = (team: string, key: string, model: string) =>
    quotasOf({ team: loaded.config.teams!.get(team)!, key }, model);
  return of;
}

test("a request is counted against its team, its key, its team on the model, and the model", async () => {
  const of = await setUp();
  expect(of("payments", "ci", "large").map(({ id, limit, scope }) => [id, limit, scope])).toEqual([
    ["team:payments|requests|1s", 5, "team payments"],
    ["team:payments|requests|60s", 100, "team payments"],
    ["team:payments|tokens|60s", 200_000, "team payments"],
    ["team:payments|input_tokens|60s", 150_000, "team payments"],
    ["team:payments|output_tokens|86400s", 1_000_000, "team payments"],
    ["team:payments|concurrent", 16, "team payments"],
    ["team:payments/key:ci|requests|60s", 60, "key ci of team payments"],
    ["team:payments/model:large|tokens|3600s", 10_000, "team payments on model large"],
    ["model:large|requests|1s", 50, "model large"],
    ["model:large|concurrent", 40, "model large"],
  ]);
  expect(of("free", "x", "small")).toEqual([]);
  expect(of("free", "x", "large").map(({ id }) => id)).toEqual(["model:large|requests|1s", "model:large|concurrent"]);
});

test("a list is built once, and keys share it where they have no limits of their own", async () => {
  const of = await setUp();
  expect(of("payments", "ci", "large")).toBe(of("payments", "ci", "large"));
  expect(of("payments", "ci", "large")).not.toBe(of("payments", "laptop", "large"));
  expect(of("free", "one", "large")).toBe(of("free", "two", "large"));
});
