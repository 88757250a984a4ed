import { connect } from "node:net";
import { type Simulator, startSimulator } from "@signalbox/simulator";
import { expect, onTestFinished, test } from "vitest";
import { chatBody } from "./fault-pool.ts";
import { type GatewayProcess, startGatewayProcess } from "./gateway-process.ts";
import { ask, readAnswer } from "./wire-client.ts";

const MB = 1024 * 1024;
const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function startPair(tokens = 40): Promise<{ engine: Simulator; gateway: GatewayProcess }> {
  const deltas = Array.from({ length: tokens }, (_, i) => `p${i} `);
  const engine = await startSimulator({ kind: "vllm", models: ["big"], script: [{ reply: { deltas } }] });
  onTestFinished(() => engine.close());
  const gateway = await startGatewayProcess(`
backends: { primary: { kind: vllm, url: "${engine.url}" } }
models: { large: { on: [{ backend: primary, model: big }] } }
defaults: { probe: { interval: 60s } }
`);
  // What a process needs to have run once is not what is measured.
  for (let i = 0; i < 50; i++) await ask(gateway.url, { body: chatBody(i % 2 === 0) });
  return { engine, gateway };
}

test("F38 a flood of 100 MB for a client that does not read is held at the engine, in little memory", async () => {
  const { engine, gateway } = await startPair();
  engine.fault({ kind: "flood", bytes: 100 * MB });
  const before = gateway.rss();
  const body = JSON.stringify(chatBody(true));
  const socket = connect(Number(new URL(gateway.url).port), "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  socket.pause();
  socket.write(
    `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  );
  let most = 0;
  for (let i = 0; i < 15; i++) {
    await wait(100);
    most = Math.max(most, gateway.rss() - before);
  }
  expect(most / MB).toBeLessThan(32);
  expect(engine.log.at(-1)!.endedAt).toBeUndefined();
  let received = 0;
  let tail = "";
  const ended = new Promise<void>((resolve) => {
    socket.on("data", (chunk) => {
      received += chunk.length;
      tail = (tail + chunk.toString("latin1")).slice(-200);
      most = Math.max(most, received % (5 * MB) < chunk.length ? gateway.rss() - before : 0);
      if (tail.includes("data: [DONE]")) resolve();
    });
  });
  socket.resume();
  await ended;
  // Less the framing of chunks.
  expect(received).toBeGreaterThan(95 * MB);
  expect(most / MB).toBeLessThan(64);
}, 30_000);

test("F19, F20, F30 bombs, endless lines and endless errors cost little memory and time", async () => {
  const { engine, gateway } = await startPair();
  const before = { rss: gateway.rss(), cpu: gateway.cpuMs() };
  for (const fault of [
    { kind: "gzip_bomb" as const, megabytes: 1024 },
    { kind: "big_error" as const, status: 500 },
    { kind: "long_line" as const, after_tokens: 5 },
    { kind: "long_line" as const, after_tokens: 0 },
  ]) {
    engine.fault({ ...fault, times: 1 });
    const streamed = fault.kind === "long_line";
    const answer = await ask(gateway.url, { body: chatBody(streamed) });
    expect(readAnswer(answer).done).toBe(false);
    expect(answer.ms).toBeLessThan(1000);
    await wait(50);
    const good = await ask(gateway.url, { body: chatBody(true) });
    expect(good.status).toBe(200);
  }
  expect((gateway.rss() - before.rss) / MB).toBeLessThan(48);
  expect(gateway.cpuMs() - before.cpu).toBeLessThan(1000);
});

test("F33 a hundred thousand chunks of one byte cost no more than in proportion", async () => {
  const { engine, gateway } = await startPair(500);
  const cost = async (): Promise<{ ms: number; bytes: number }> => {
    const before = gateway.cpuMs();
    const answer = await ask(gateway.url, { body: chatBody(true) });
    expect(readAnswer(answer)).toMatchObject({ done: true, finishes: ["stop"] });
    return { ms: gateway.cpuMs() - before, bytes: answer.text.length };
  };
  await cost();
  engine.fault({ kind: "split_bytes", size: 1 });
  const { ms, bytes } = await cost();
  expect(bytes).toBeGreaterThan(80_000);
  // 20 microseconds a chunk is what an event costs.
  expect(ms).toBeLessThan((bytes * 20) / 1000);
});

test("F54 a dead pool under load costs the gateway little", async () => {
  const { engine, gateway } = await startPair();
  await engine.kill();
  for (let i = 0; i < 5; i++) await ask(gateway.url, { body: chatBody(true) });
  const before = gateway.cpuMs();
  const started = performance.now();
  for (let i = 0; i < 20; i++) {
    const answer = await ask(gateway.url, { body: chatBody(i % 2 === 0) });
    expect(answer.status).toBe(503);
    await wait(40);
  }
  const share = (gateway.cpuMs() - before) / (performance.now() - started);
  expect(share).toBeLessThan(0.15);
});
