import { expect, onTestFinished, test } from "vitest";
import { startTestGateway, type TestGateway } from "../end-to-end/test-gateway.ts";
import { chatHead, dial, trickle } from "./raw-client.ts";

/** On a machine that has much else to do. */
const soon = { interval: 10, timeout: 20_000 };

const MB = 1024 * 1024;
const WRITE_MS = 300;
/** A busy machine makes everything late; far below the 30 s after which Node looks by itself. */
const LATE_MS = 3000;
/** More than the kernel keeps for a connection. */
const FLOOD = Array.from({ length: 48 }, () => "y".repeat(MB / 2));

/** Every patience a thirtieth to a hundredth of its default. */
async function start(reply: readonly string[] = ["hello"]): Promise<TestGateway<"one">> {
  const gateway = await startTestGateway({
    engines: { one: { kind: "vllm", models: ["m"], script: [{ reply: { deltas: [...reply] } }] } },
    yaml: ({ one }) => `
server:
  listen: 127.0.0.1:0
  admin: 127.0.0.1:0
  shed_lag: 0s
  min_body_rate: 1KB
  timeouts: { read_header: 200ms, read_body: 600ms, write: ${WRITE_MS}ms, idle: 400ms }
backends: { one: { kind: vllm, url: "${one}" } }
models: { m: { on: [{ backend: one, model: m }] } }
`,
  });
  onTestFinished(() => gateway.close());
  return gateway;
}

const body = (fill: number, stream = false): string =>
  JSON.stringify({ model: "m", stream, messages: [{ role: "user", content: "x".repeat(fill) }] });

/** The error object of an answer's body. */
function errorOf(text: string): unknown {
  return (JSON.parse(text.slice(text.indexOf("\r\n\r\n") + 4)) as { error: unknown }).error;
}

test("F57 a head that trickles in is answered with 408 and closed", async () => {
  const { socket, gone } = await dial((await start()).url);
  const began = performance.now();
  trickle(socket, `${chatHead(10).slice(0, -2)}x-a: ${"a".repeat(500)}`, 1, 20);
  const text = await gone;
  expect(text).toMatch(/^HTTP\/1\.1 408 /);
  expect(errorOf(text)).toMatchObject({ code: "request_timeout", type: "invalid_request_error" });
  expect(performance.now() - began).toBeGreaterThan(190);
  expect(performance.now() - began).toBeLessThan(LATE_MS);
}, 60_000);

test("F57 a body that comes more slowly than its rate is answered with 408 and closed, and told as that", async () => {
  const gateway = await start();
  for (const [piece, everyMs] of [
    [0, 50],
    [10, 20],
  ] as const) {
    const { socket, gone } = await dial(gateway.url);
    const began = performance.now();
    socket.write(chatHead(5000));
    trickle(socket, body(5000), piece, everyMs);
    const text = await gone;
    expect(text).toMatch(/^HTTP\/1\.1 408 /);
    expect(errorOf(text)).toMatchObject({ code: "request_timeout", message: /too slowly: \d+ bytes in \d+ ms/ });
    expect(text).toMatch(/connection: close/i);
    expect(performance.now() - began).toBeGreaterThan(190);
    expect(performance.now() - began).toBeLessThan(LATE_MS);
  }
  expect(gateway.requestLines()).toMatchObject([
    { status: 408, code: "request_timeout" },
    { status: 408, code: "request_timeout" },
  ]);
  expect(gateway.engines.one.log.filter(({ method }) => method === "POST")).toEqual([]);
}, 60_000);

test("F57 a body that keeps its rate has its own limit, and what is there in time is answered", async () => {
  const gateway = await start();
  const endless = await dial(gateway.url);
  const began = performance.now();
  endless.socket.write(chatHead(1_000_000));
  trickle(endless.socket, body(1_000_000), 200, 20);
  const slow = await dial(gateway.url);
  const whole = body(2000);
  slow.socket.write(chatHead(whole.length, "connection: close\r\n"));
  trickle(slow.socket, whole, 200, 20);
  expect(await slow.gone).toMatch(/^HTTP\/1\.1 200 /);
  const text = await endless.gone;
  expect(text).toMatch(/^HTTP\/1\.1 408 /);
  expect(errorOf(text)).toMatchObject({ message: "the request body was not there within 600 ms" });
  expect(performance.now() - began).toBeLessThan(600 + LATE_MS);
}, 60_000);

test("a connection without a request is closed when it was idle for too long", async () => {
  const { socket, gone, text } = await dial((await start()).url);
  const whole = body(1);
  socket.write(chatHead(whole.length) + whole);
  await expect.poll(text, soon).toContain("hello");
  expect(await gone).toContain("hello");
}, 60_000);

test.each([
  { what: "a stream", stream: true },
  { what: "a whole reply", stream: false },
])(
  "F57 a client that takes nothing of $what is let go, and the engine with it",
  async ({ stream }) => {
    const gateway = await start(FLOOD);
    const { socket, gone } = await dial(gateway.url);
    socket.pause();
    const whole = body(1, stream);
    socket.write(chatHead(whole.length) + whole);
    await expect.poll(() => gateway.gateway.serving.signals.inFlight, soon).toBe(1);
    await expect
      .poll(async () => (await gateway.metrics()).includes("signalbox_open_connections 0"), { timeout: 5000 })
      .toBe(true);
    expect(gateway.gateway.serving.signals.inFlight).toBe(0);
    expect(gateway.engines.one.stats().running).toBe(0);
    socket.resume();
    const text = await gone;
    expect(text).toMatch(/^HTTP\/1\.1 200 /);
    expect(text.length).toBeLessThan(24 * MB);
  },
  60_000,
);

test("a client that reads slowly, but reads, gets all of it", async () => {
  const gateway = await start(FLOOD);
  const { socket, gone, text } = await dial(gateway.url);
  const whole = body(1, true);
  socket.write(chatHead(whole.length, "connection: close\r\n") + whole);
  // Pauses shorter than the limit, and more time than it together.
  const pauses = setInterval(() => {
    socket.pause();
    setTimeout(() => socket.resume(), WRITE_MS / 3);
  }, WRITE_MS / 2);
  onTestFinished(() => clearInterval(pauses));
  await gone;
  expect(text()).toContain("data: [DONE]");
}, 90_000);
