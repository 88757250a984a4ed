import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { readAuditChain } from "../audit/audit-chain.ts";
import type { AuditRecord } from "../audit/audit-line.ts";
import { keys as keysCommand } from "../cli/keys.ts";
import type { KeyChanged, KeyList } from "../routes/admin-keys.ts";
import { startRedis, type TestRedis } from "../store/test-redis.ts";
import { hashKey } from "../teams/keys.ts";
import { startTestGateway, type TestGateway } from "./test-gateway.ts";

const WITHIN = { timeout: 2000, interval: 10 };
type Replica = TestGateway<"one">;

let redis: TestRedis;
let one: Replica;
let two: Replica;
let folder: string;
const auditOf = (name: string): string => path.join(folder, `${name}.jsonl`);

const policy = (engine: string, audit: string, teams = "payments, search") => `
server: { listen: 127.0.0.1:0, admin: 127.0.0.1:0, drain_delay: 0s, shed_lag: 0s, audit_file: ${auditOf(audit)} }
store: ${redis.url}
backends: { one: { kind: vllm, url: "${engine}" } }
models: { m: { on: [{ backend: one }] } }
teams:
${teams
  .split(", ")
  .map((name) => `  ${name}: { keys: [{ hash: "${hashKey(`key-of-${name}`)}", name: file }] }`)
  .join("\n")}
`;

beforeAll(async () => {
  redis = await startRedis({ persistent: true });
  folder = mkdtempSync(path.join(tmpdir(), "signalbox-keys-"));
  one = await startTestGateway({
    engines: { one: { kind: "vllm", models: ["m"] } },
    yaml: (urls) => policy(urls.one, "one"),
  });
  two = (await startTestGateway({ yaml: () => policy(one.engines.one.url, "two") })) as Replica;
});
afterAll(async () => {
  await one?.close();
  await two?.close();
  await redis?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** The status that a key meets with. After many tries a wrong one is answered with 429, which is the same refusal. */
async function ask(replica: Replica, key: string): Promise<number> {
  const answer = await fetch(`${replica.baseUrl}/models`, { headers: { authorization: `Bearer ${key}` } });
  await answer.text();
  return answer.status === 429 ? 401 : answer.status;
}

async function post(
  replica: Replica,
  change: object,
): Promise<{ status: number; answer: KeyChanged & { error?: { code: string; message: string } } }> {
  const response = await fetch(`${replica.adminUrl}/keys`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(change),
  });
  return { status: response.status, answer: (await response.json()) as KeyChanged };
}

async function create(replica: Replica, more: object = {}): Promise<{ key: string; id: string }> {
  const { status, answer } = await post(replica, { action: "create", team: "payments", ...more });
  expect(status, JSON.stringify(answer)).toBe(200);
  return { key: answer.key!, id: answer.status.id };
}

const list = async (replica: Replica, team = "payments"): Promise<KeyList> =>
  (await fetch(`${replica.adminUrl}/keys?team=${team}`)).json() as Promise<KeyList>;

const storeUp = async (replica: Replica): Promise<boolean> =>
  (await replica.metrics()).includes("signalbox_store_up 1");

async function cli(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const told = { out: "", err: "" };
  const out = vi.spyOn(console, "log").mockImplementation((line) => {
    told.out += `${line}\n`;
  });
  const err = vi.spyOn(console, "error").mockImplementation((line) => {
    told.err += `${line}\n`;
  });
  const admin = args.includes("--admin") ? [] : ["--admin", one.adminUrl];
  try {
    return { code: await keysCommand.run([...args, ...admin]), ...told };
  } finally {
    out.mockRestore();
    err.mockRestore();
  }
}

const records = (name: string): AuditRecord[] =>
  readFileSync(auditOf(name), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as AuditRecord);

describe("a key that is made at one replica", () => {
  test("is valid at the other within two seconds, and revoked as soon", async () => {
    const { key, id } = await create(one, { name: "first" });
    expect(key).toMatch(/^sb-[A-Za-z0-9_-]{43}$/);
    expect(await ask(one, key)).toBe(200);
    await expect.poll(() => ask(two, key), WITHIN).toBe(200);
    expect((await post(two, { action: "revoke", team: "payments", key: id })).status).toBe(200);
    expect(await ask(two, key)).toBe(401);
    await expect.poll(() => ask(one, key), WITHIN).toBe(401);
    expect((await list(two)).keys.find((each) => each.id === id)).toMatchObject({ name: "first", state: "revoked" });
  });

  test("is the team's: a request counts as that team's and as that key's", async () => {
    const { key } = await create(one, { name: "counted" });
    const body = { model: "m", messages: [{ role: "user", content: "hi" }] };
    const answer = await one.post("/v1/chat/completions", body, { authorization: `Bearer ${key}` });
    expect(answer.status).toBe(200);
    expect(one.requestLines().at(-1)).toMatchObject({ team: "payments", key: "counted", status: 200 });
  });

  test("ends at its time, everywhere, and the log alone says why", async () => {
    const { key } = await create(one, { name: "short", expires: new Date(Date.now() + 1200).toISOString() });
    await expect.poll(() => ask(two, key), { timeout: 1000, interval: 10 }).toBe(200);
    await expect.poll(() => ask(two, key), WITHIN).toBe(401);
    expect(await ask(one, key)).toBe(401);
    const told = await two.post("/v1/chat/completions", { model: "m" }, { authorization: `Bearer ${key}` });
    const wrong = await two.post("/v1/chat/completions", { model: "m" }, { authorization: "Bearer sb-wrong" });
    expect(await told.text()).toBe(await wrong.text());
    expect(two.requestLines().at(-2)).toMatchObject({
      status: 401,
      error: "the key short of team payments has expired",
    });
  });

  test("is replaced by another, and both are valid until the grace time is over", async () => {
    const { key, id } = await create(one, { name: "turning", expires: "90d" });
    const { answer } = await post(two, { action: "rotate", team: "payments", name: "turning", grace: "1s" });
    expect(answer).toMatchObject({ status: { name: "turning", state: "valid" }, replaced: { id, state: "retiring" } });
    const lasts = Date.parse(answer.status.valid_until!) - Date.parse(answer.status.created!);
    expect(lasts).toBe(90 * 86_400_000);
    expect([await ask(two, key), await ask(two, answer.key!)]).toEqual([200, 200]);
    await expect.poll(() => ask(one, answer.key!), WITHIN).toBe(200);
    await expect.poll(() => ask(one, key), WITHIN).toBe(401);
    expect(await ask(two, key)).toBe(401);
    expect(await ask(one, answer.key!)).toBe(200);
  });
});

describe("what is refused", () => {
  test("names that are taken, in the store and in the file, and keys that are not there", async () => {
    await create(one, { name: "taken" });
    const says = async (change: object) => (await post(two, { team: "payments", ...change })).answer.error?.message;
    expect(await says({ action: "create", name: "taken" })).toContain("is known by «taken» already");
    expect(await says({ action: "create", name: "file" })).toContain("is known by «file» already");
    expect(await says({ action: "create", team: "nobody" })).toContain(
      'the policy has no team "nobody": payments, search',
    );
    expect(await says({ action: "create", name: "x", expires: "2020-01-01" })).toContain("cannot expire before");
    expect(await says({ action: "create", name: "x", expires: "soon" })).toContain("such as 90d");
    expect(await says({ action: "rotate", name: "none" })).toContain("has no valid key «none»");
    expect(await says({ action: "rotate", name: "file" })).toContain("stands in the policy file");
    expect(await says({ action: "revoke", key: "00000000" })).toContain("has no valid key «00000000»");
    expect(await says({ action: "revoke" })).toContain("say which key");
    expect(await says({ action: "make" })).toContain('expected {"action"');
    expect(await says({ action: "rotate", name: "taken" })).toBeUndefined();
    expect(await says({ action: "revoke", name: "taken" })).toContain("more than one key");
  });

  test("everything from a page of another origin, and without a right token", async () => {
    const headers = { "content-type": "application/json", origin: "http://evil.example" };
    const body = JSON.stringify({ action: "create", team: "payments" });
    expect((await fetch(`${one.adminUrl}/keys`, { method: "POST", headers, body })).status).toBe(403);
  });
});

describe("a store that is away", () => {
  test("leaves the keys that are known valid, and makes none", async () => {
    const { key } = await create(one, { name: "kept" });
    await expect.poll(() => ask(two, key), WITHIN).toBe(200);
    const audited = records("one").length;
    await redis.kill();
    expect([await ask(one, key), await ask(two, key), await ask(two, "sb-wrong")]).toEqual([200, 200, 401]);
    expect(await post(one, { action: "create", team: "payments" })).toMatchObject({
      status: 503,
      answer: { error: { code: "keys_unavailable" } },
    });
    expect(records("one")).toHaveLength(audited);
    await redis.restart();
    await expect
      .poll(async () => (await post(one, { action: "revoke", team: "payments", name: "kept" })).status, {
        timeout: 5000,
      })
      .toBe(200);
    await expect.poll(() => ask(two, key), { timeout: 5000 }).toBe(401);
  });
});

test("a gateway that starts without its store serves the keys of the file, and those of the store when it comes", async () => {
  const { key } = await create(one, { name: "early" });
  await redis.kill();
  const began = performance.now();
  const late = (await startTestGateway({ yaml: () => policy(one.engines.one.url, "late") })) as Replica;
  try {
    expect(performance.now() - began).toBeLessThan(5000);
    expect((await fetch(`${late.adminUrl}/readyz`)).status).toBe(200);
    expect([await ask(late, "key-of-payments"), await ask(late, key)]).toEqual([200, 401]);
    await redis.restart();
    await expect.poll(() => ask(late, key), { timeout: 8000 }).toBe(200);
    const told = late.logLines().filter((line) => line.includes("keys of the store cannot be read"));
    expect(told.length).toBeLessThanOrEqual(1);
  } finally {
    await late.close();
    // The others look for the store in their own time, and the tests to come want it.
    for (const replica of [one, two]) await expect.poll(() => storeUp(replica), { timeout: 8000 }).toBe(true);
  }
}, 20_000);

test("a key whose team the policy has not is not valid until it has", async () => {
  const { status, answer } = await post(one, { action: "create", team: "search", name: "orphan" });
  expect(status).toBe(200);
  await expect.poll(() => ask(two, answer.key!), WITHIN).toBe(200);
  await two.apply(policy(one.engines.one.url, "two", "payments"));
  expect(await ask(two, answer.key!)).toBe(401);
  expect((await list(two, "search")).keys).toMatchObject([{ name: "orphan", state: "no_team" }]);
  expect(two.logLines().join("\n")).toContain('the policy has no team \\"search\\"');
  await two.apply(policy(one.engines.one.url, "two"));
  expect(await ask(two, answer.key!)).toBe(200);
});

test("no key is anywhere but in the answer that showed it, and every change is in the audit file", async () => {
  const { key, id } = await create(one, { name: "audited" });
  await post(one, { action: "revoke", team: "payments", name: "audited" });
  const client = new Redis(redis.url);
  const everything = [
    JSON.stringify(await client.hgetall("{signalbox}:keys")).replaceAll(hashKey(key).slice(7), ""),
    readFileSync(auditOf("one"), "utf8"),
    one.logLines().join("\n"),
    JSON.stringify(await list(one)),
    await one.metrics(),
  ].join("\n");
  client.disconnect();
  expect(everything).not.toContain(key);
  expect(everything).not.toContain(hashKey(key).slice(7, 30));
  const mine = records("one").filter(({ target }) => target === "payments/audited");
  expect(mine.map(({ action, result, actor }) => [action, result, actor])).toEqual([
    ["key.create", "begun", "local"],
    ["key.create", "ok", "local"],
    ["key.revoke", "begun", "local"],
    ["key.revoke", "ok", "local"],
  ]);
  expect(mine[3]).toMatchObject({ before: { id, state: "valid" }, after: { id, state: "revoked" } });
  expect((await readAuditChain(auditOf("one"))).broken).toBeUndefined();
  expect(await one.metrics()).toMatch(/^signalbox_stored_keys_age_seconds [0-2]\b/m);
});

describe("`signalbox keys`", () => {
  test("makes, lists, rotates and revokes keys of a running gateway", async () => {
    const made = await cli("create", "--team", "payments", "--name", "by-hand", "--expires", "90d");
    expect(made.code).toBe(0);
    const key = /^key: +(sb-\S{43})$/m.exec(made.out)?.[1];
    expect(await ask(one, key!)).toBe(200);
    const listed = await cli("list", "--team", "payments");
    expect(listed.out).toMatch(/^ID +TEAM +NAME +WHERE +CREATED +VALID UNTIL +STATE +LAST USED$/m);
    expect(listed.out).toMatch(/^[0-9a-f]{8} +payments +file +policy +- +- +valid +-$/m);
    expect(listed.out).toMatch(/^[0-9a-f]{8} +payments +by-hand +store +20\S+Z +20\S+Z +valid +20\S+Z$/m);
    const turned = await cli("rotate", "--team", "payments", "--name", "by-hand", "--grace", "7d");
    expect(turned.err).toMatch(/payments\/by-hand \([0-9a-f]{8}\) is valid until 20/);
    const id = /^id: +(\S+)$/m.exec(turned.out)![1]!;
    expect((await cli("revoke", "--team", "payments", "--key", id)).out).toContain("revoked");
    expect((await cli("revoke", "--team", "payments", "--key", id)).err).toContain("no valid key");
    const json = JSON.parse((await cli("list", "--json")).out) as KeyList;
    expect(json.keys.map(({ team }) => team)).toContain("search");
  });

  test("prints what goes into the file where there is no store, and where none is asked", async () => {
    const offline = await cli("create", "--team", "payments", "--name", "ci", "--expires", "2099-01-31", "--offline");
    expect(offline.err).toMatch(
      /teams\.payments\.keys:\n {2}- \{ hash: "sha256:\w{64}", name: ci, expires: 2099-01-31T00:00:00\.000Z \}/,
    );
    const plain = await startTestGateway({
      yaml: () => policy(one.engines.one.url, "three").replace(/^store.*$/m, ""),
    });
    const { code, out, err } = await cli("create", "--team", "payments", "--admin", plain.adminUrl);
    expect([
      code,
      out.includes("hash: sha256:"),
      err.includes("teams.payments.keys"),
      err.includes("This gateway has no store"),
    ]).toEqual([0, true, true, true]);
    const told = await fetch(`${plain.adminUrl}/keys`);
    expect(await told.json()).toMatchObject({
      store: "memory",
      keys: [{ where: "policy" }, { where: "policy" }],
      left_out: 0,
    });
    expect((await post(plain as Replica, { action: "create", team: "payments" })).answer.error?.code).toBe(
      "keys_not_stored",
    );
    await plain.close();
  });

  test.each([
    [["make"], "keys knows: create, list, rotate, revoke"],
    [["rotate", "--name", "x"], "wants --team"],
    [["revoke", "--team", "a"], "wants either --name or --key"],
    [["revoke", "--team", "a", "--name", "x", "--grace", "1h"], "takes no --grace"],
    [["create", "--team", "a", "--expires", "soon"], "--expires soon"],
    [["rotate", "--team", "a", "--name", "x", "--grace", "long"], "--grace long"],
  ])("%j is a mistake of words", async (words, says) => {
    await expect(keysCommand.run(words)).rejects.toThrow(says);
  });
});
