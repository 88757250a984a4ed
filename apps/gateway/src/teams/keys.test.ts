import { describe, expect, test } from "vitest";
import type { Team, TeamKey } from "../config/config.ts";
import { createKey, createKeyIndex, createKnownKey, hashKey, openTeam } from "./keys.ts";

const keyOf = (hash: string, name?: string, expiresAt = Number.POSITIVE_INFINITY): TeamKey => {
  return { hash: hash.toLowerCase(), id: name ?? hash.slice(7, 15).toLowerCase(), name, expiresAt };
};
const team = (name: string, keys: readonly (string | TeamKey)[]): Team => {
  return { ...openTeam, name, keys: keys.map((key) => (typeof key === "string" ? keyOf(key) : key)) };
};

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

describe("a key with an end", () => {
  const end = Date.UTC(2027, 0, 31);
  const named = team("a", [keyOf(hashKey("key-a"), "ci", end)]);

  test("is known by its name, and is like any wrong key from then on; the log alone hears why", () => {
    let time = end - 1;
    const index = createKeyIndex(new Map([["a", named]]), { wallClock: () => time });
    expect(index.identify("Bearer key-a")).toMatchObject({ ok: true, caller: { key: "ci" } });
    time = end;
    const { fault, ...told } = index.identify("Bearer key-a") as Record<string, unknown>;
    expect(told).toEqual(index.identify("Bearer key-b"));
    expect(fault).toBe("the key ci of team a has expired");
  });

  test("tells when it was last taken, over reloads", () => {
    let time = 5000;
    const options = { wallClock: () => time };
    const index = createKeyIndex(new Map([["a", named]]), options);
    const hex = hashKey("key-a").slice(7);
    expect(index.lastUsed(hex)).toBe(0);
    index.identify("Bearer key-a");
    time = 9000;
    expect(createKeyIndex(new Map([["a", named]]), { ...options, previous: index }).lastUsed(hex)).toBe(5000);
  });
});

describe("keys beside the file's", () => {
  const hexOf = (key: string) => hashKey(key).slice(7);
  const stored = (key: string, owner: string) =>
    createKnownKey({ hex: hexOf(key), team: owner, id: key, validUntil: Number.POSITIVE_INFINITY, ending: "" });

  test("come and go while a config is in force, and stand behind the file's", () => {
    const more = new Map([[hexOf("key-a"), stored("key-a", "b")]]);
    const teams = new Map([
      ["a", team("a", [hashKey("key-a")])],
      ["b", team("b", [])],
    ] as const);
    const index = createKeyIndex(teams, { more });
    expect(index.identify("Bearer key-a")).toMatchObject({ ok: true, caller: { team: { name: "a" } } });
    expect(index.identify("Bearer key-b").ok).toBe(false);
    more.set(hexOf("key-b"), stored("key-b", "b"));
    const first = index.identify("Bearer key-b");
    expect(first).toMatchObject({ ok: true, caller: { team: { name: "b" }, key: "key-b" } });
    expect(index.identify("Bearer key-b")).toBe(first);
    more.delete(hexOf("key-b"));
    expect(index.identify("Bearer key-b").ok).toBe(false);
  });

  test("get the team of the config in force, and none that it has not", () => {
    const more = new Map([[hexOf("key-b"), stored("key-b", "b")]]);
    const before = createKeyIndex(new Map([["b", team("b", [])]]), { more });
    const old = before.identify("Bearer key-b");
    const now = team("b", []);
    const after = createKeyIndex(new Map([["b", now]]), { more }).identify("Bearer key-b");
    expect(after.ok && after.caller.team).toBe(now);
    expect(after).not.toBe(old);
    expect(createKeyIndex(new Map([["a", team("a", [])]]), { more }).identify("Bearer key-b")).toMatchObject({
      ok: false,
      fault: "the key key-b of team b has a team that the policy has not",
    });
  });
});
