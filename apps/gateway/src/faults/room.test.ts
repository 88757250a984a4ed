import { readdirSync } from "node:fs";
import { startSimulator } from "@signalbox/simulator";
import { expect, onTestFinished, test } from "vitest";
import { type GatewayProcess, startGatewayProcess } from "./gateway-process.ts";
import { chatHead, dial, type RawClient } from "./raw-client.ts";
import { type Answer, ask, readAnswer } from "./wire-client.ts";

/** On a machine that has much else to do. */
const soon = { interval: 10, timeout: 20_000 };

const MB = 1024 * 1024;
const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function start(server: string, before?: string, tokensPerSecond?: number): Promise<GatewayProcess> {
  const engine = await startSimulator({ kind: "vllm", models: ["m"], ...(tokensPerSecond && { tokensPerSecond }) });
  onTestFinished(() => engine.close());
  return startGatewayProcess(
    `
server: { listen: 127.0.0.1:0, admin: 127.0.0.1:0, drain_delay: 0s, shed_lag: 0s${server} }
backends: { one: { kind: vllm, url: "${engine.url}" } }
models: { m: { on: [{ backend: one, model: m }] } }
defaults: { probe: { interval: 200ms } }
`,
    before === undefined ? {} : { before },
  );
}

const chat = (fill = 1, more = {}) => ({
  model: "m",
  messages: [{ role: "user", content: "x".repeat(fill) }],
  ...more,
});

const refusal = { code: "gateway_overloaded", type: "overloaded_error" };

function expectRefused(answer: Answer): void {
  expect(answer.status).toBe(503);
  expect(answer.headers["retry-after"]).toBe("1");
  expect(readAnswer(answer).error).toMatchObject(refusal);
}

test("over max_requests a request is refused at once, before its body, and nothing else is", async () => {
  const gateway = await start(", max_requests: 3", undefined, 10);
  const streams = [1, 2, 3].map(() => ask(gateway.url, { body: chat(1, { stream: true, max_tokens: 20 }) }));
  await expect.poll(() => gateway.metric("signalbox_in_flight_requests"), soon).toBe(3);
  const unread = await dial(gateway.url);
  unread.socket.write(chatHead(20 * MB));
  expectRefused(await ask(gateway.url, { body: chat() }));
  expect(await unread.gone).toMatch(/^HTTP\/1\.1 503 .*retry-after: 1.*gateway_overloaded/s);
  const asking = await dial(gateway.url);
  asking.socket.write(chatHead(100, "expect: 100-continue\r\n"));
  expect(await asking.gone).toMatch(/^HTTP\/1\.1 503 /);
  expect((await fetch(`${gateway.url}/livez`)).status).toBe(200);
  expect((await fetch(`${gateway.url}/v1/models`)).status).toBe(200);
  for (const stream of await Promise.all(streams)) expect(readAnswer(stream).done).toBe(true);
  expect((await ask(gateway.url, { body: chat() })).status).toBe(200);
  expect(await gateway.metric("signalbox_shed_requests_total", 'reason="requests"')).toBe(3);
  expect(await gateway.metric("signalbox_requests_total", 'code="gateway_overloaded"')).toBe(3);
}, 60_000);

test("over max_connections idle ones are closed for new ones, and who finds no room is told so", async () => {
  const gateway = await start(", max_connections: 8", undefined, 10);
  const whole = JSON.stringify(chat(1, { max_tokens: 1 }));
  const idle: RawClient[] = [];
  for (let i = 0; i < 8; i++) {
    const client = await dial(gateway.url);
    client.socket.write(chatHead(whole.length) + whole);
    await expect.poll(client.text, soon).toMatch(/^HTTP\/1\.1 200 .*\}$/s);
    idle.push(client);
  }
  const streams = Array.from({ length: 8 }, () =>
    ask(gateway.url, { body: chat(1, { stream: true, max_tokens: 20 }) }),
  );
  await expect.poll(() => gateway.metric("signalbox_in_flight_requests"), soon).toBe(8);
  await Promise.all(idle.map(({ gone }) => gone));
  expectRefused(await ask(gateway.url, { body: chat() }));
  for (const stream of await Promise.all(streams)) expect(readAnswer(stream).done).toBe(true);
  expect((await ask(gateway.url, { body: chat() })).status).toBe(200);
  expect(await gateway.metric("signalbox_shed_requests_total", 'reason="connections"')).toBeGreaterThan(0);
}, 60_000);

test("bodies under way have room together, and what is more is refused; the room comes back", async () => {
  const gateway = await start(", max_bodies: 40MiB");
  for (let i = 0; i < 20; i++) await ask(gateway.url, { body: chat() });
  const before = gateway.rss();
  // Each has sent all but the last byte of 12 MiB: three fit, with or without a length.
  const clients: RawClient[] = [];
  for (let i = 0; i < 5; i++) {
    const client = await dial(gateway.url);
    const part = Buffer.alloc(12 * MB - 1, "x");
    if (i % 2 === 0) client.socket.write(chatHead(12 * MB));
    else
      client.socket.write(
        `${chatHead(0).replace("content-length: 0", "transfer-encoding: chunked")}${(12 * MB).toString(16)}\r\n`,
      );
    client.socket.write(part);
    clients.push(client);
    if (i < 3) await expect.poll(() => gateway.metric("signalbox_body_bytes"), soon).toBe((i + 1) * (12 * MB - 1));
  }
  for (const client of clients.slice(3)) expect(await client.gone).toMatch(/^HTTP\/1\.1 503 .*gateway_overloaded/s);
  expect((await ask(gateway.url, { body: chat() })).status).toBe(200);
  expect((gateway.rss() - before) / MB).toBeLessThan(120);
  for (const client of clients.slice(0, 3)) client.socket.destroy();
  await expect.poll(() => gateway.metric("signalbox_body_bytes"), soon).toBe(0);
  expect((await ask(gateway.url, { body: chat(12 * MB) })).status).not.toBe(503);
  await expect.poll(() => gateway.metric("signalbox_body_bytes"), soon).toBe(0);
}, 90_000);

test("F60 a client that goes on sending reads its 413, and the connection is closed", async () => {
  const gateway = await start(", max_body: 1MiB");
  for (const head of [
    chatHead(33 * MB),
    `${chatHead(0).replace("content-length: 0", "transfer-encoding: chunked")}${(33 * MB).toString(16)}\r\n`,
  ]) {
    for (let round = 0; round < 5; round++) {
      const { socket, gone } = await dial(gateway.url);
      socket.write(head);
      socket.write(Buffer.alloc(33 * MB, "x"));
      expect(await gone).toMatch(/^HTTP\/1\.1 413 .*connection: close.*request_too_large/is);
    }
  }
  const head = await dial(gateway.url);
  head.socket.write(`${chatHead(2).slice(0, -2)}x-a: ${"a".repeat(17 * 1024)}\r\n\r\n`);
  expect(await head.gone).toMatch(/^HTTP\/1\.1 431 /);
}, 90_000);

test("F56 with few descriptors everybody is answered with 200 or 503, and all is well behind it", async () => {
  const gateway = await start("", "ulimit -n 64", 20);
  for (let round = 0; round < 2; round++) {
    const clients = Array.from({ length: 100 }, (_, i) =>
      ask(gateway.url, { body: chat(1, { stream: i % 2 === 0, max_tokens: 10 }) }).then(
        ({ status }) => status,
        () => 0,
      ),
    );
    const statuses = await Promise.all(clients);
    expect(statuses.filter((status) => status === 200).length).toBeGreaterThanOrEqual(8);
    expect(statuses.filter((status) => ![200, 503, 0].includes(status))).toEqual([]);
    const answer = await ask(gateway.url, { body: chat() });
    expect(answer.status).toBe(200);
  }
  expect(await gateway.metric("signalbox_attempts_total", 'outcome="failed"')).toBe(0);
  expect(await gateway.metric("signalbox_backend_up")).toBe(1);
}, 60_000);

test("F56 a connection to a backend that we have no descriptor for is our own shortage", async () => {
  // Room for connections, and little for what they ask: the cap is set by hand, against the warning.
  const gateway = await start(", max_connections: 60, max_requests: 60", "ulimit -n 64", 20);
  const clients: RawClient[] = [];
  while (readdirSync(`/proc/${gateway.child.pid}/fd`).length < 60) {
    clients.push(await dial(gateway.url));
    await wait(10);
  }
  const whole = JSON.stringify(chat(1, { max_tokens: 20 }));
  for (const { socket } of clients) socket.write(chatHead(whole.length, "connection: close\r\n") + whole);
  const answers = await Promise.all(clients.map(({ gone }) => gone));
  const refused = answers.filter((text) => /^HTTP\/1\.1 503 .*retry-after: 1.*gateway_overloaded/s.test(text));
  expect(refused.length).toBeGreaterThan(5);
  expect(answers.filter((text) => text.startsWith("HTTP/1.1 200 ")).length).toBe(answers.length - refused.length);
  expect(await gateway.metric("signalbox_attempts_total", 'outcome="shortage"')).toBeGreaterThan(0);
  expect(await gateway.metric("signalbox_attempts_total", 'outcome="failed"')).toBe(0);
  await wait(500);
  expect(await gateway.metric("signalbox_backend_up")).toBe(1);
  expect((await ask(gateway.url, { body: chat() })).status).toBe(200);
}, 60_000);
