import { expect, test } from "vitest";
import { createdRecord, revokedRecord, rotatedRecords } from "./key-changes.ts";
import { listKeys } from "./key-list.ts";
import type { KeyRecord } from "./key-record.ts";
import { endingOf, readRecord, recordText, validUntil } from "./key-record.ts";

const DAY = 86_400_000;
const now = Date.UTC(2026, 10, 21);
const hashOf = (digit: string): string => digit.repeat(64);
const none: ReadonlySet<string> = new Set();

function record(digit: string, more: Partial<KeyRecord> = {}): KeyRecord {
  const made = { hash: hashOf(digit), team: "a", name: undefined, created: now - 10 * DAY, revision: 1 };
  return { ...made, expires: undefined, retires: undefined, revoked: undefined, ...more };
}

test("a record that is written is read as it was, and nothing else is taken for one", () => {
  for (const each of [record("a"), record("b", { name: "ci", expires: now, retires: now + 1, revoked: now - 1 })]) {
    expect(readRecord(each.hash, recordText(each))).toEqual(each);
    expect(recordText(each)).not.toContain(each.hash);
  }
  const text = recordText(record("a"));
  for (const wrong of ["", "{", "null", "[]", text.replace('"v":1', '"v":2'), text.replace('"team":"a"', '"team":7')])
    expect(readRecord(hashOf("a"), wrong)).toBeUndefined();
  expect(readRecord("short", text)).toBeUndefined();
});

test("a key ends when the first of its ends comes", () => {
  const ends = record("a", { expires: now + 3, retires: now + 2, revoked: now + 1 });
  expect([validUntil(ends), endingOf(ends)]).toEqual([now + 1, "was revoked"]);
  const replaced = record("a", { expires: now + 3, retires: now + 2 });
  expect([validUntil(replaced), endingOf(replaced)]).toEqual([now + 2, "was replaced by another"]);
  expect([validUntil(record("a", { expires: now })), endingOf(record("a", { expires: now }))]).toEqual([
    now,
    "has expired",
  ]);
  expect(validUntil(record("a"))).toBe(Number.POSITIVE_INFINITY);
});

test("a name that no valid key has is free again", () => {
  const wanted = { hash: hashOf("c"), team: "a", name: "ci", now, expires: undefined };
  const ended = [record("a", { name: "ci", revoked: now - 1 }), record("b", { name: "ci", team: "b" })];
  expect(createdRecord(ended, none, wanted)).toEqual({ ...record("c", { name: "ci", created: now }) });
  expect(() => createdRecord([record("a", { name: "ci" })], none, wanted)).toThrow("known by «ci» already");
  expect(() => createdRecord([], new Set(["ci"]), wanted)).toThrow("known by «ci» already");
  // A name may look like the id of a key that has none.
  expect(() => createdRecord([record("a")], none, { ...wanted, name: "aaaaaaaa" })).toThrow("known by");
});

test("a key that takes another's place has its name and its length of life, and begins at its first revision", () => {
  const old = record("a", { name: "ci", expires: now + 20 * DAY, revision: 4 });
  const { old: left, next } = rotatedRecords(
    [old],
    { team: "a", name: "ci" },
    { hash: hashOf("b"), now, expires: undefined, graceMs: DAY },
  );
  expect(left).toEqual({ ...old, retires: now + DAY, revision: 5 });
  expect(next).toEqual(record("b", { name: "ci", created: now, expires: now + 30 * DAY }));
  const again = { hash: hashOf("c"), now, expires: undefined, graceMs: DAY };
  expect(rotatedRecords([left, next], { team: "a", name: "ci" }, again).old.hash).toBe(next.hash);
  expect(() => rotatedRecords([left, next], { team: "a", key: "aaaaaaaa" }, again)).toThrow(
    "is being replaced already",
  );
  expect(() => rotatedRecords([left, next], { team: "b", name: "ci" }, again)).toThrow("no valid key «ci»");
});

test("of two keys with one name the one that is meant is revoked by its id", () => {
  const both = [record("a", { name: "ci", retires: now + DAY }), record("b", { name: "ci" })];
  expect(() => revokedRecord(both, { team: "a", name: "ci" }, now)).toThrow(
    "more than one key has the name «ci»: give the id of one: aaaaaaaa (being replaced), bbbbbbbb",
  );
  expect(revokedRecord(both, { team: "a", key: "AAAAAAAA" }, now).next).toMatchObject({ revoked: now, revision: 2 });
  expect(() => revokedRecord(both, { team: "a" }, now)).toThrow("say which key is meant");
  expect(() => revokedRecord(both, { team: "a", name: "ci", key: "aaaaaaaa" }, now)).toThrow("say which key is meant");
});

test("a list says of every key what it is now, and of its hash eight digits", () => {
  const records = [
    record("a", { name: "one" }),
    record("b", { retires: now + DAY }),
    record("c", { retires: now - DAY }),
    record("d", { expires: now - DAY }),
    record("e", { revoked: now - DAY }),
    record("f", { team: "gone" }),
  ];
  const stored = {
    records: () => records.values(),
    lastUsed: (hash: string) => (hash === hashOf("a") ? now + 61_000 : 0),
  };
  const file = { hash: `sha256:${hashOf("0")}`, id: "ci", name: "ci", expiresAt: now - 1 };
  const team = { name: "a", keys: [file], models: undefined, limits: {} } as never;
  const options = { teams: new Map([["a", team]]), index: { lastUsed: () => 0 }, stored, now, most: 100 };
  const { keys } = listKeys(options);
  expect(keys.map(({ id, where, state }) => `${id} ${where} ${state}`)).toEqual([
    "00000000 policy expired",
    "aaaaaaaa store valid",
    "bbbbbbbb store retiring",
    "cccccccc store retired",
    "dddddddd store expired",
    "eeeeeeee store revoked",
    "ffffffff store no_team",
  ]);
  expect(keys[1]).toMatchObject({ name: "one", valid_until: null, last_used: new Date(now + 60_000).toISOString() });
  expect(JSON.stringify(keys)).not.toMatch(/[0-9a-f]{9}(?!Z)/);
  expect(listKeys({ ...options, team: "gone" }).keys).toHaveLength(1);
  expect(listKeys({ ...options, most: 3 })).toMatchObject({ keys: { length: 3 }, leftOut: 4 });
});
