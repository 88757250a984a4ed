import { EventEmitter } from "node:events";
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, expect, test } from "vitest";
import type { Config } from "./config.ts";
import { loadConfigFile } from "./load.ts";
import { type ConfigWatcher, type ReloadEvent, type SignalSource, watchConfig } from "./reload.ts";

const text = (attempts: number) => `version: 1
backends: { a: { kind: vllm, url: "http://127.0.0.1:8000" } }
models: { m: { on: [{ backend: a }] } }
defaults: { attempts: ${attempts} }
`;

const cleanUps: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function makeFolder(): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), "signalbox-reload-"));
  cleanUps.push(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

async function start(file: string, onChange?: (config: Config) => void) {
  const first = await loadConfigFile(file, {});
  if (!first.ok) throw new Error(JSON.stringify(first.errors));
  const signals = new EventEmitter();
  const changes: number[] = [];
  const events: ReloadEvent[] = [];
  const waiting: ((event: ReloadEvent) => void)[] = [];
  const watcher: ConfigWatcher = watchConfig({
    path: file,
    env: {},
    current: first.config,
    signals: signals as SignalSource,
    settleMs: 5,
    onChange: (config) => {
      onChange?.(config);
      changes.push(config.attempts);
    },
    onEvent: (event) => {
      const next = waiting.shift();
      if (next) next(event);
      else events.push(event);
    },
  });
  cleanUps.push(() => watcher.close());
  const nextEvent = () => {
    const event = events.shift();
    return event ? Promise.resolve(event) : new Promise<ReloadEvent>((resolve) => waiting.push(resolve));
  };
  return { watcher, signals, changes, nextEvent, events };
}

test("a file that is written anew comes into force", async () => {
  const file = path.join(await makeFolder(), "signalbox.yaml");
  await writeFile(file, text(3));
  const { watcher, changes, nextEvent } = await start(file);
  await writeFile(file, text(4));
  // A reader may meet the file while it is empty; what counts is where it ends.
  let event = await nextEvent();
  while (!event.ok) event = await nextEvent();
  expect(event).toEqual({ ok: true, changed: true, hash: watcher.current.hash, needsRestart: [] });
  expect(changes).toEqual([4]);
  expect(watcher.current.attempts).toBe(4);
});

test("a file that is replaced by renaming comes into force, and the next one too", async () => {
  const file = path.join(await makeFolder(), "signalbox.yaml");
  await writeFile(file, text(3));
  const { changes, nextEvent } = await start(file);
  for (const attempts of [4, 5]) {
    await writeFile(`${file}.new`, text(attempts));
    await rename(`${file}.new`, file);
    expect(await nextEvent()).toMatchObject({ ok: true, changed: true });
  }
  expect(changes).toEqual([4, 5]);
});

test("a swapped link comes into force, again and again, as the kubelet updates a ConfigMap", async () => {
  const folder = await makeFolder();
  let before: string | undefined;
  // What its atomic writer does: a new folder, a link that is renamed over the old one, and then the old folder goes.
  const version = async (name: string, attempts: number) => {
    await mkdir(path.join(folder, name));
    await writeFile(path.join(folder, name, "signalbox.yaml"), text(attempts));
    await symlink(name, path.join(folder, "..data_tmp"));
    await rename(path.join(folder, "..data_tmp"), path.join(folder, "..data"));
    if (before !== undefined) await rm(path.join(folder, before), { recursive: true });
    before = name;
  };
  await version("..2026_11_21_10_00_00.1", 3);
  const file = path.join(folder, "signalbox.yaml");
  await symlink(path.join("..data", "signalbox.yaml"), file);
  const { changes, nextEvent } = await start(file);
  for (const attempts of [7, 8, 9, 10]) {
    await version(`..2026_11_21_10_00_00.${attempts}`, attempts);
    expect(await nextEvent()).toMatchObject({ ok: true, changed: true });
  }
  expect(changes).toEqual([7, 8, 9, 10]);
});

test("a broken file is told with its errors, and the last good config stays", async () => {
  const file = path.join(await makeFolder(), "signalbox.yaml");
  await writeFile(file, text(3));
  const { watcher, changes, nextEvent } = await start(file);
  const { hash } = watcher.current;
  await writeFile(`${file}.new`, text(4).replace("kind", "kinb"));
  await rename(`${file}.new`, file);
  const event = await nextEvent();
  expect(event).toMatchObject({ ok: false, hash });
  expect(!event.ok && event.errors.some((error) => error.message.includes("did you mean «kind»"))).toBe(true);
  await rm(file);
  expect(await nextEvent()).toMatchObject({ ok: false, hash, errors: [{ message: "there is no such file" }] });
  expect(watcher.current.hash).toBe(hash);
  expect(changes).toEqual([]);
  await writeFile(`${file}.new`, text(9));
  await rename(`${file}.new`, file);
  expect(await nextEvent()).toMatchObject({ ok: true, changed: true });
  expect(changes).toEqual([9]);
});

test("SIGHUP reads the file, and says so when nothing changed", async () => {
  const file = path.join(await makeFolder(), "signalbox.yaml");
  await writeFile(file, text(3));
  const { signals, changes, nextEvent, watcher } = await start(file);
  signals.emit("SIGHUP");
  expect(await nextEvent()).toEqual({ ok: true, changed: false, hash: watcher.current.hash, needsRestart: [] });
  expect(changes).toEqual([]);
});

test("a file that the config names comes into force when it changes, wherever it is", async () => {
  const folder = await makeFolder();
  const secrets = await makeFolder();
  const file = path.join(folder, "signalbox.yaml");
  const key = path.join(secrets, "key");
  await writeFile(key, "one");
  await writeFile(file, text(3).replace("kind: vllm", `kind: vllm, api_key_file: ${JSON.stringify(key)}`));
  const { watcher, nextEvent } = await start(file);
  await writeFile(`${key}.new`, "two");
  await rename(`${key}.new`, key);
  expect(await nextEvent()).toMatchObject({ ok: true, changed: true });
  expect(watcher.current.backends.get("a")?.headers()).toEqual({ authorization: "Bearer two" });
});

test("a config that cannot be put in force leaves the one before it", async () => {
  const file = path.join(await makeFolder(), "signalbox.yaml");
  await writeFile(file, text(3));
  const { watcher } = await start(file, () => {
    throw new Error("no room");
  });
  await writeFile(file, text(4));
  expect(await watcher.reload()).toMatchObject({
    ok: false,
    errors: [{ message: "could not be put in force: no room" }],
  });
  expect(watcher.current.attempts).toBe(3);
});

test("names the settings that wait for a restart", async () => {
  const file = path.join(await makeFolder(), "signalbox.yaml");
  await writeFile(file, text(3));
  const { watcher } = await start(file);
  await writeFile(file, `${text(3)}server: { listen: 127.0.0.1:0, log: silent, drain: 1s, capture: { file: a } }\n`);
  expect(await watcher.reload()).toMatchObject({
    ok: true,
    needsRestart: ["server.listen", "server.log", "server.capture"],
  });
});

test("survives a hundred writes in a row and ends with the last one", async () => {
  const file = path.join(await makeFolder(), "signalbox.yaml");
  await writeFile(file, text(3));
  const { watcher } = await start(file);
  for (let attempts = 1; attempts <= 100; attempts++) await writeFile(file, text(attempts));
  await watcher.reload();
  expect(watcher.current.attempts).toBe(100);
});

test("after close nothing is called and no signal is listened for", async () => {
  const file = path.join(await makeFolder(), "signalbox.yaml");
  await writeFile(file, text(3));
  const { watcher, signals, changes, events } = await start(file);
  await watcher.close();
  await writeFile(file, text(4));
  expect(signals.listenerCount("SIGHUP")).toBe(0);
  expect(await watcher.reload()).toMatchObject({ changed: false });
  expect([changes, events]).toEqual([[], []]);
});
