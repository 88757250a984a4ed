import { expect, test } from "vitest";
import { type LoadOptions, loadConfig } from "./load.ts";
import { formatError } from "./problems.ts";
import { parseRedisUrl } from "./redis-url.ts";

const rest = `version: 1
backends: { a: { kind: vllm, url: "http://127.0.0.1:8000" } }
models: { large: { on: [{ backend: a, model: big }] } }
`;

async function load(store: string, options: Partial<LoadOptions> = {}) {
  const result = await loadConfig(`${rest}store: ${store}\n`, { env: {}, fileName: "signalbox.yaml", ...options });
  return result.ok ? { store: result.config.store, errors: [] } : { errors: result.errors.map(formatError) };
}

const readFile = async (path: string) => (path.endsWith(".pem") ? "-----BEGIN CERTIFICATE-----\n" : "pass-of-a-file\n");

test.each([
  ["redis://cache", { host: "cache", port: 6379, database: 0, encrypted: false }],
  ["rediss://cache:6380/3", { host: "cache", port: 6380, database: 3, encrypted: true }],
  ["redis://me:p%40ss@cache", { username: "me", password: "p@ss" }],
  ["redis://:a@b/c:d@[::1]:7000/1", { username: undefined, password: "a@b/c:d", host: "::1", port: 7000, database: 1 }],
  ["redis://me@cache", { username: "me", password: undefined }],
])("reads %s", (text, parts) => {
  expect(parseRedisUrl(text)).toMatchObject(parts);
});

test.each(["redis://", "redis://cache:0", "redis://cache:99999", "redis://cache/one", "http://cache", "redis:cache"])(
  "does not read %s",
  (text) => expect(parseRedisUrl(text)).toBe(undefined),
);

test("an address alone is a store with our defaults", async () => {
  const { store } = await load("redis://cache:6379/2");
  expect(store).toMatchObject({ topology: "single", addresses: [{ host: "cache", port: 6379 }], database: 2 });
  expect(store).toMatchObject({ prefix: "signalbox", instances: 1 });
  expect(store !== "memory" && store?.tls()).toBe(undefined);
});

test("passwords come from variables and files, and a printed config does not show them", async () => {
  const env = { PW: "hunter2@2" };
  const text = await load(`"rediss://me:\${PW}@cache"`, { env });
  if (text.store === undefined || text.store === "memory") throw new Error(text.errors.join());
  expect(text.store.password()).toBe("hunter2@2");
  expect(text.store.tls()).toEqual({});
  const mapping = await load(
    "{ sentinels: [a:1, b:2], name: m, username: me, password_file: p, sentinel_password_file: q, tls: { ca_file: ca.pem }, prefix: x, instances: 4 }",
    { readFile },
  );
  if (mapping.store === undefined || mapping.store === "memory") throw new Error(mapping.errors.join());
  expect(mapping.store).toMatchObject({
    topology: "sentinel",
    masterName: "m",
    username: "me",
    prefix: "x",
    instances: 4,
  });
  expect(mapping.store.addresses).toEqual([
    { host: "a", port: 1 },
    { host: "b", port: 2 },
  ]);
  expect([mapping.store.password(), mapping.store.sentinelPassword()]).toEqual(["pass-of-a-file", "pass-of-a-file"]);
  expect(mapping.store.tls()).toEqual({ ca: "-----BEGIN CERTIFICATE-----\n" });
  expect(JSON.stringify([text.store, mapping.store])).not.toMatch(/hunter2|pass-of/);
});

test.each([
  ["redis", "store: expected memory or a redis:// address, not «redis»; did you mean «redis://127.0.0.1:6379»?"],
  ["memry", "store: expected memory or a redis:// address, not «memry»; did you mean «memory»?"],
  ["cache:6379", "store: expected a redis:// or rediss:// address; did you mean «redis://cache:6379»?"],
  ["http://cache:6379", "store: expected a redis:// or rediss:// address, not http://"],
  ["redis://cache?db=1", "store: holds a query or a fragment"],
  ["redis://user:hunter2@cache", "store: a secret stands in the file"],
  [`"redis://:\${PW}x@cache"`, "store: a secret stands in the file"],
  ['{ url: "redis://:hunter2@cache" }', "store.url: a secret stands in the file"],
  ["5", "store: expected memory, a redis:// address or a mapping, not «5»"],
  ["{}", "store: has none of `url`, `sentinels` and `cluster`"],
  ["{ url: redis://a, cluster: [b:1] }", "store: has `url` and `cluster`: give one of them"],
  ["{ sentinels: [b:1] }", "store.sentinels: goes with `name`, which is missing"],
  ["{ url: redis://a, name: m }", "store.name: is only read with `sentinels`"],
  ["{ cluster: [b] }", "store.cluster[0]: expected an address"],
  ["{ url: redis://a, tls: { ca_file: ca.pem } }", "store.tls: is only read with a rediss:// address"],
  ["{ url: rediss://a, tls: { cert_file: ca.pem } }", "store.tls.cert_file: goes with `key_file`, which is missing"],
  ["{ url: redis://me@a, username: you }", "store.username: stands in `url`, too"],
  [`{ url: "redis://:\${PW}@a", password_file: p }`, "store.password_file: stands beside a password in `url`"],
  ["{ url: redis://a, prefix: 'a{b}' }", "store.prefix: a prefix has 1 to 64"],
  ["{ url: redis://a, instances: 0 }", "store.instances: expected a whole number"],
  ["{ url: redis://a, password: hunter2 }", "store.password: unknown key «password»; did you mean «password_file»?"],
])("refuses store: %s", async (text, message) => {
  const { errors } = await load(text, { readFile, env: { PW: "hunter2" } });
  expect(errors).toHaveLength(1);
  expect(errors[0]).toContain(message);
  expect(errors[0]).not.toContain("hunter2");
});

test("a file that is not there is named", async () => {
  const { errors } = await load("{ url: redis://a, password_file: ./no }");
  expect(errors[0]).toContain("store.password_file: «./no» does not exist");
});
