import { once } from "node:events";
import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startTestGateway, type TestGateway } from "./test-gateway.ts";

let gateway: TestGateway<"one">;

beforeAll(async () => {
  gateway = await startTestGateway({
    engines: { one: { kind: "vllm", models: ["m"] } },
    yaml: ({ one }) => `
backends: { one: { kind: vllm, url: "${one}" } }
models: { m: { on: [{ backend: one, model: m }] }, other: { on: [{ backend: one, model: m }] } }
`,
  });
});
afterAll(() => gateway.close());

const chat = "/v1/chat/completions";
const messages = [{ role: "user", content: "hi" }];
const good = { model: "m", messages };

interface ErrorAnswer {
  readonly error: { readonly message: string; readonly code: string };
}

test("headers of the hop, of proxies and of ours do not reach the backend", async () => {
  // fetch refuses some of these; node:http sends them all.
  const body = JSON.stringify(good);
  const { port } = new URL(gateway.url);
  const sent = httpRequest({
    port,
    method: "POST",
    path: chat,
    headers: {
      "content-type": "application/json",
      "content-length": body.length,
      connection: "keep-alive, x-hop",
      "x-hop": "canary-hop",
      "keep-alive": "timeout=canary",
      te: "trailers",
      "proxy-authorization": "Basic canary",
      "proxy-connection": "keep-alive",
      authorization: "Bearer canary-key",
      cookie: "canary=1",
      "x-api-key": "canary-key",
      "x-forwarded-for": "203.0.113.7",
      "x-forwarded-host": "canary.example",
      forwarded: "for=canary",
      "x-real-ip": "203.0.113.7",
      via: "1.1 canary",
      "x-signalbox-team": "canary-team",
      "x-signalbox-backend": "canary-backend",
      "x-unknown": "canary-unknown",
      "accept-encoding": "gzip, br",
      "user-agent": "canary-agent",
      host: "canary.example",
      "x-request-id": "spoof-1",
    },
  });
  sent.end(body);
  const [response] = await once(sent, "response");
  response.resume();
  expect(response.statusCode).toBe(200);
  expect(response.headers["x-signalbox-backend"]).toBe("one");
  const headers = gateway.engines.one.log.findLast(({ method }) => method === "POST")?.headers ?? {};
  expect(JSON.stringify(headers)).not.toMatch(/canary|203\.0\.113/);
  expect(headers["accept-encoding"]).toBe("identity");
  expect(headers["x-request-id"]).toBe("spoof-1");
  expect(Object.keys(headers).filter((name) => name.startsWith("x-"))).toEqual(["x-request-id"]);
});

describe("nothing that a client writes grows in us", () => {
  test("ten thousand junk model names, and junk addresses and methods, leave the metric series as they were", async () => {
    const junk = (i: number) => {
      const body = JSON.stringify({ model: `junk-${i}-${Math.random()}`, messages });
      return `POST ${chat} HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    };
    // An engine's queue is shown while it tells of one; a probe that came late says nothing of it.
    const seriesOf = (text: string) => {
      const series = text.match(/^signalbox_\w+(\{[^}]*\})?/gm) ?? [];
      return series.filter((name) => !name.startsWith("signalbox_backend_queue_depth"));
    };
    await pipelined(Array.from({ length: 10 }, (_, i) => junk(i)));
    const before = seriesOf(await gateway.metrics());
    const refused = await Promise.all(
      [0, 1, 2, 3].map((part) => pipelined(Array.from({ length: 2500 }, (_, i) => junk(part * 2500 + i)))),
    );
    expect(refused).toEqual([2500, 2500, 2500, 2500]);
    await Promise.all(
      Array.from({ length: 50 }, (_, i) => fetch(`${gateway.url}/junk/${i}`).then((response) => response.text())),
    );
    await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        fetch(`${gateway.url}${chat}?${i}`, { method: "DELETE" }).then((response) => response.text()),
      ),
    );
    const text = await gateway.metrics();
    expect(seriesOf(text)).toEqual(before);
    expect(text).not.toContain("junk");
    expect(text).toMatch(/signalbox_requests_total\{[^}]*model="other"[^}]*code="model_not_found"\} 100\d\d/);
  });

  test("control characters and long strings stay in one log line, escaped and cut", async () => {
    const ugly = `evil\r\n{"level":60}\u001b[31m\u0000\u2028${"y".repeat(200)}`;
    const before = gateway.logLines().length;
    await (await gateway.post(chat, { model: ugly, messages })).text();
    await (await gateway.post(chat, { model: "z".repeat(1_000_000), messages })).text();
    const named = await gateway.post(chat, good, { "x-request-id": "a b<script>".repeat(20) });
    expect(named.headers.get("x-request-id")).toMatch(/^[\w-]{36}$/);
    await named.text();
    const lines = gateway.logLines().slice(before);
    expect(lines).toHaveLength(3);
    for (const line of lines) {
      expect(line.length).toBeLessThan(2000);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what must not be there
      expect(line).not.toMatch(/[\u0000-\u001f]/);
      expect(JSON.parse(line)).toMatchObject({ event: "request" });
    }
    expect(JSON.parse(lines[0] ?? "").asked).toBe(ugly.slice(0, 256));
    expect(lines.join()).not.toContain("script");
  });

  test("an unknown model's name is shown cut and without control characters in the answer", async () => {
    const response = await gateway.post(chat, { model: `\u001b[31m${"q".repeat(250)}`, messages });
    expect(response.status).toBe(404);
    const { error } = (await response.json()) as ErrorAnswer;
    expect(error.message.length).toBeLessThan(400);
    expect(error.message).toMatch(/m.*other/);
  });
});

describe("addresses and methods", () => {
  const methods: [string, string, number, string | null][] = [
    ["GET", chat, 405, "POST"],
    ["DELETE", chat, 405, "POST"],
    ["HEAD", chat, 405, "POST"],
    ["OPTIONS", chat, 405, "POST"],
    ["PUT", "/v1/embeddings", 405, "POST"],
    ["POST", "/v1/models", 405, "GET"],
    ["DELETE", "/v1/models/m", 405, "GET"],
    ["POST", "/livez", 405, "GET"],
    ["GET", "/", 404, null],
    ["GET", "/v1", 404, null],
    ["POST", "/chat/completions", 404, null],
    ["POST", "/v1/chat/completions/", 404, null],
    ["POST", "/v1//chat/completions", 404, null],
    ["POST", "/V1/chat/completions", 404, null],
    ["POST", "/v1/audio/speech", 404, null],
    ["GET", "/v1/models/nothing", 404, null],
    ["GET", "/v1/models/%zz", 404, null],
    ["GET", "/v1/models/..%2f..%2fetc", 404, null],
    ["GET", "/metrics", 404, null],
    ["GET", "/status", 404, null],
    ["GET", "/readyz", 404, null],
    ["OPTIONS", "/v1/none", 404, null],
  ];
  test.each(methods)("%s %s → %i", async (method, path, status, allow) => {
    const response = await fetch(`${gateway.url}${path}`, { method });
    expect(response.status).toBe(status);
    expect(response.headers.get("allow")?.split(", ")[0] ?? null).toBe(allow);
    expect(response.headers.get("content-type")).toContain("application/json");
    if (method === "HEAD") return;
    const { error } = (await response.json()) as ErrorAnswer;
    expect(error.code).toMatch(status === 405 ? /method_not_allowed/ : /route_not_found|model_not_found/);
    expect(error.message).not.toContain("node_modules");
  });

  test("HEAD of what GET answers has its head alone", async () => {
    for (const path of ["/livez", "/v1/models"]) {
      const response = await fetch(`${gateway.url}${path}`, { method: "HEAD" });
      expect(response.status).toBe(200);
      expect(await response.text()).toBe("");
    }
  });

  test("TRACE is no way to see one's headers again", async () => {
    const sent = httpRequest({ port: new URL(gateway.url).port, method: "TRACE", path: "/livez" }).end();
    const [response] = await once(sent, "response");
    response.resume();
    expect(response.statusCode).toBe(405);
  });
});

/** Sends requests on one connection without waiting, and counts the answers. */
async function pipelined(requests: readonly string[]): Promise<number> {
  const socket = connect(gateway.port, "127.0.0.1");
  let answers = 0;
  let rest = "";
  const all = new Promise<void>((resolve, reject) => {
    socket.on("data", (chunk: Buffer) => {
      const parts = (rest + chunk.toString("latin1")).split("HTTP/1.1 404");
      answers += parts.length - 1;
      rest = (parts.at(-1) ?? "").slice(-12);
      if (answers === requests.length) resolve();
    });
    socket.on("close", () => reject(new Error(`closed after ${answers} answers`)));
  });
  socket.write(requests.join(""));
  await all;
  socket.removeAllListeners("close");
  socket.destroy();
  return answers;
}
