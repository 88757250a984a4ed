import { expect, test } from "vitest";
import type { Team } from "../config/config.ts";
import { createKey, createKeyIndex, hashKey } from "./keys.ts";

const team = (name: string, keys: string[]): Team => ({ name, keys, models: undefined, limits: {} });

test("a new key has 256 random bits, and its hash finds it again", () => {
  const { key, hash } = createKey();
  expect(key).toMatch(/^sb-[A-Za-z0-9_-]{43}$/);
  expect(hash).toBe(hashKey(key));
  expect(createKey().key).not.toBe(key);
  const index = createKeyIndex(new Map([["a", team("a", [hash])]]));
  expect(index.identify(`Bearer ${key}`)).toMatchObject({
    ok: true,
    caller: { team: { name: "a" }, key: hash.slice(7, 15) },
  });
});

test("the hash is SHA-256 as other tools make it", () => {
  // echo -n abc | sha256sum
  expect(hashKey("abc")).toBe("sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
});

const index = createKeyIndex(
  new Map([
    ["a", team("a", [hashKey("key-a"), hashKey("key-a2").toUpperCase().replace("SHA256", "sha256")])],
    ["b", team("b", [hashKey("key-b")])],
  ]),
);

test.each([
  ["Bearer key-a", undefined, "a"],
  ["bearer key-a2", undefined, "a"],
  ["BEARER  key-b ", undefined, "b"],
  [["Bearer key-b"], undefined, "b"],
  [undefined, "key-b", "b"],
  ["Bearer key-b", "key-b", "b"],
  ["Basic eDp5", "key-b", "b"],
])("authorization %j and x-api-key %j are team %s", (authorization, apiKey, name) => {
  const identity = index.identify(authorization, apiKey);
  expect(identity.ok && identity.caller.team.name).toBe(name);
});

test.each([
  [undefined, undefined, "invalid_api_key"],
  ["", undefined, "invalid_api_key"],
  ["Bearer", undefined, "invalid_api_key"],
  ["Bearer ", undefined, "invalid_api_key"],
  ["key-a", undefined, "invalid_api_key"],
  ["Bearer key-c", undefined, "invalid_api_key"],
  ["Bearer KEY-A", undefined, "invalid_api_key"],
  [`Bearer ${hashKey("key-a")}`, undefined, "invalid_api_key"],
  [`Bearer ${"x".repeat(100_000)}`, undefined, "invalid_api_key"],
  ["Bearer key-a", "key-b", "invalid_api_key"],
  [["Bearer key-a", "Bearer key-a"], undefined, "invalid_request"],
  [undefined, ["key-a", "key-b"], "invalid_request"],
])("refuses authorization %j and x-api-key %j", (authorization, apiKey, code) => {
  const identity = index.identify(authorization, apiKey);
  expect(identity).toMatchObject({ ok: false, code });
  expect(JSON.stringify(identity)).not.toContain("key-");
});

test("an open gateway takes any key, and none, but not two authorization headers", () => {
  const open = createKeyIndex(undefined);
  expect(open.open).toBe(true);
  expect(open.identify("Bearer EMPTY")).toMatchObject({
    ok: true,
    caller: { team: { name: "default", models: undefined }, key: "" },
  });
  expect(open.identify(undefined)).toMatchObject({ ok: true, caller: { team: { name: "default" }, key: "" } });
  expect(open.identify(["Bearer a", "Bearer b"])).toMatchObject({ ok: false, code: "invalid_request" });
});
