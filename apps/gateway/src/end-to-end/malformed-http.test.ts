import { once } from "node:events";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hashKey } from "../teams/keys.ts";
import { startTestGateway, type TestGateway } from "./test-gateway.ts";

let gateway: TestGateway<"one">;

beforeAll(async () => {
  gateway = await startTestGateway({
    engines: { one: { kind: "vllm", models: ["m"] } },
    yaml: ({ one }) => `
server: { listen: 127.0.0.1:0, admin: 127.0.0.1:0, max_body: 256KiB }
backends: { one: { kind: vllm, url: "${one}" } }
models: { m: { on: [{ backend: one, model: m }] } }
teams: { all: { keys: ["${hashKey("key-all")}"] } }
`,
  });
});
afterAll(() => gateway.close());

const BODY = JSON.stringify({ model: "m", messages: [{ role: "user", content: "hi" }] });
const LINE = "POST /v1/chat/completions HTTP/1.1";
const HOST = "Host: x";
const KEY = "Authorization: Bearer key-all";
const TYPE = "Content-Type: application/json";
const LENGTH = `Content-Length: ${BODY.length}`;
const CHUNKED = "Transfer-Encoding: chunked";
const CHUNKS = `${BODY.length.toString(16)}\r\n${BODY}\r\n0\r\n\r\n`;

const head = (...lines: string[]) => `${lines.join("\r\n")}\r\n\r\n`;
/** A good request with more header lines. */
const withLines = (...lines: string[]) => head(LINE, HOST, KEY, TYPE, LENGTH, ...lines) + BODY;
const withCoding = (...lines: string[]) => head(LINE, HOST, KEY, TYPE, ...lines);

const attempts = () => gateway.engines.one.log.filter(({ path }) => path.startsWith("/v1/chat")).length;

interface RawAnswer {
  /** Of each response on the connection, in order. */
  readonly statuses: readonly number[];
  readonly text: string;
  /** The gateway closed the connection by itself. */
  readonly closed: boolean;
}

/** Sends bytes as they are and reads until the gateway closes, or, with `until`, until that text is there. */
async function sendRaw(bytes: string | Buffer, until?: RegExp): Promise<RawAnswer> {
  const socket = connect(gateway.port, "127.0.0.1");
  let text = "";
  const done = new Promise<boolean>((resolve) => {
    // Not a wait: a bound, for a gateway that would neither answer nor close.
    const timer = setTimeout(() => resolve(false), 5000);
    const end = (closed: boolean) => {
      clearTimeout(timer);
      resolve(closed);
    };
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString("latin1");
      if (until?.test(text)) end(false);
    });
    socket.on("close", () => end(true));
    socket.on("error", () => {});
  });
  await once(socket, "connect");
  socket.write(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes);
  const closed = await done;
  socket.destroy();
  const statuses = [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
  return { statuses, text, closed };
}

const malformed: [string, string | Buffer, number?][] = [
  ["a length and chunks", withCoding(LENGTH, CHUNKED) + CHUNKS],
  ["chunks and a length", withCoding(CHUNKED, LENGTH) + CHUNKS],
  ["two lengths that differ", withLines("Content-Length: 5")],
  ["two lengths that agree", withLines(LENGTH)],
  ["a list of lengths", withCoding(`Content-Length: ${BODY.length}, ${BODY.length}`) + BODY],
  ["a negative length", withCoding("Content-Length: -1") + BODY],
  ["a length with a plus", withCoding(`Content-Length: +${BODY.length}`) + BODY],
  ["a hexadecimal length", withCoding("Content-Length: 0x20") + BODY],
  ["an empty length", withCoding("Content-Length:") + BODY],
  ["a length beyond 64 bits", withCoding("Content-Length: 99999999999999999999999") + BODY],
  ["bare line feeds", withLines().replaceAll("\r\n", "\n")],
  ["one bare line feed", withLines("X-A: b\nX-C: d")],
  ["a bare carriage return", withLines("X-A: b\rX-C: d")],
  ["a folded header", withLines("X-A: b\r\n c")],
  ["a folded length", withCoding("Content-Length:\r\n 57") + BODY],
  ["NUL in a value", withLines("X-A: b\0c")],
  ["NUL in a name", withLines("X\0A: b")],
  ["a control character in a value", withLines("X-A: \x01")],
  ["a space before the colon", withCoding(`Content-Length : ${BODY.length}`) + BODY],
  ["a space before the first header", `${LINE}\r\n ${HOST}\r\n\r\n`],
  ["no name", withLines(": b")],
  ["no colon", withLines("X-A")],
  ["brackets in a name", withLines("X(A): b")],
  ["an unknown method", withLines().replace("POST", "FETCH")],
  ["a method in small letters", withLines().replace("POST", "post")],
  ["a method that is none", withLines().replace("POST", "P@ST")],
  ["no version", `POST /v1/chat/completions\r\n${HOST}\r\n\r\n`],
  ["version 9.9", withLines().replace("HTTP/1.1", "HTTP/9.9")],
  ["a version with more behind it", withLines().replace("HTTP/1.1", "HTTP/1.1x")],
  ["another protocol's name", withLines().replace("HTTP/1.1", "ICAP/1.0")],
  ["HTTP/2's preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
  ["a TLS greeting", Buffer.from("16030100c8010000c40303a1b2c3d4e5f60718293a4b5c6d7e8f90", "hex")],
  ["binary junk", Buffer.from("00ff00ff0d0a0d0a00ff", "hex")],
  ["a whole URL as target", withLines().replace("/v1", "http://127.0.0.1:9/v1"), 400],
  ["a target without a slash", withLines().replace("/v1", "v1"), 400],
  ["CONNECT", head("CONNECT 127.0.0.1:9 HTTP/1.1", HOST), 405],
  ["an unknown transfer coding", withCoding("Transfer-Encoding: gzip") + BODY],
  ["a coding that only ends like chunked", withCoding("Transfer-Encoding: xchunked") + CHUNKS],
  ["chunked that is not last", withCoding("Transfer-Encoding: chunked, identity") + CHUNKS],
  ["chunked twice", withCoding(CHUNKED, "Transfer-Encoding: identity") + CHUNKS],
  ["a chunk size that is no number", `${withCoding(CHUNKED)}zz\r\n${BODY}\r\n0\r\n\r\n`],
  ["a negative chunk size", `${withCoding(CHUNKED)}-5\r\n${BODY}\r\n0\r\n\r\n`],
  ["a chunk size beyond 64 bits", `${withCoding(CHUNKED)}fffffffffffffffff\r\n${BODY}\r\n0\r\n\r\n`],
  ["a chunk longer than its size", `${withCoding(CHUNKED)}5\r\n${BODY}\r\n0\r\n\r\n`],
  ["a bare line feed behind a chunk size", `${withCoding(CHUNKED)}${BODY.length.toString(16)}\n${BODY}\n0\n\n`],
  ["an endless chunk extension", `${withCoding(CHUNKED)}5;${"a".repeat(40_000)}\r\n${BODY}\r\n0\r\n\r\n`],
  ["headers of 20 KB", withLines(`X-A: ${"a".repeat(20_000)}`), 431],
  ["two thousand headers", withLines(...Array.from({ length: 2000 }, () => "a:b")), 431],
  ["a target of 20 KB", withLines().replace("/v1", `/${"a".repeat(20_000)}`), 431],
  ["no host", head(LINE, KEY, TYPE, LENGTH) + BODY, 400],
  ["two hosts", withLines("Host: y"), 400],
  ["a host that is none", withLines().replace(HOST, "Host: a b"), 400],
  ["two keys", withLines("Authorization: Bearer other"), 400],
  ["two keys that agree", withLines(KEY), 400],
  ["an expectation that nobody knows", withLines("Expect: miracles"), 417],
];

describe("what is not HTTP is refused with 4xx and reaches no backend", () => {
  test.each(malformed)("%s", async (_what, bytes, status) => {
    const before = attempts();
    const { statuses, text } = await sendRaw(bytes, /\r\n\r\n\{.*\}/s);
    expect(statuses, text).toHaveLength(1);
    if (status !== undefined) expect(statuses, text).toEqual([status]);
    else expect([400, 413, 431], text).toContain(statuses[0]);
    expect(text).toMatch(/"code":"/);
    expect(attempts()).toBe(before);
  });

  test("a body that ends too soon is never sent on", async () => {
    for (const bytes of [withLines().slice(0, -9), withCoding(CHUNKED) + CHUNKS.slice(0, -5)]) {
      const before = attempts();
      const socket = connect({ port: gateway.port, host: "127.0.0.1", allowHalfOpen: true });
      let text = "";
      socket.on("data", (chunk: Buffer) => {
        text += chunk.toString("latin1");
      });
      socket.end(bytes);
      await once(socket, "close");
      expect(text).not.toContain("HTTP/1.1 200");
      expect(attempts()).toBe(before);
    }
  });

  test("nothing of them stays under way", async () => {
    await expect.poll(() => gateway.metrics()).toMatch(/^signalbox_in_flight_requests 0$/m);
    expect(gateway.requestLines().every(({ status }) => status !== 500)).toBe(true);
  });

  test("a refused connection is closed, and says so", async () => {
    const { closed, text } = await sendRaw(withCoding(LENGTH, CHUNKED) + CHUNKS);
    expect(closed).toBe(true);
    expect(text.toLowerCase()).toContain("connection: close");
    expect(text.toLowerCase()).toContain("content-type: application/json");
  });
});

describe("around the edges of HTTP", () => {
  test("a good request in front of junk on one connection is answered, the junk is refused", async () => {
    const { statuses, closed } = await sendRaw(`${withLines()}junk\r\n\r\n`);
    expect(statuses).toEqual([200, 400]);
    expect(closed).toBe(true);
  });

  test("two requests sent at once are answered in their order", async () => {
    const models = head("GET /v1/models HTTP/1.1", HOST, KEY, "Connection: close");
    const { statuses, text } = await sendRaw(withLines() + models);
    expect(statuses).toEqual([200, 200]);
    expect(text.indexOf("chat.completion")).toBeLessThan(text.indexOf('"object":"list"'));
  });

  test("a key in a trailer is no key", async () => {
    const bytes = `${head(LINE, HOST, TYPE, CHUNKED, "Trailer: Authorization")}${CHUNKS.slice(0, -2)}${KEY}\r\n\r\n`;
    const before = attempts();
    const { statuses } = await sendRaw(bytes, /\r\n\r\n\{.*\}/s);
    expect(statuses).toEqual([401]);
    expect(attempts()).toBe(before);
  });

  test("a health check in HTTP/1.0 without a host is answered", async () => {
    const { statuses, text, closed } = await sendRaw("GET /livez HTTP/1.0\r\n\r\n");
    expect(statuses, text).toEqual([200]);
    expect(closed).toBe(true);
  });

  test("a body that is announced as too large is refused before it is sent", async () => {
    const before = attempts();
    const { statuses, text, closed } = await sendRaw(withCoding("Content-Length: 900000000"));
    expect(statuses).toEqual([413]);
    expect(text).toContain("request_too_large");
    expect(closed).toBe(true);
    expect(attempts()).toBe(before);
  });

  test("a body in chunks is refused where it grows too large, and the connection is closed", async () => {
    const chunk = `10000\r\n${"x".repeat(65_536)}\r\n`;
    const { statuses, text, closed } = await sendRaw(withCoding(CHUNKED) + chunk.repeat(5));
    expect(statuses).toEqual([413]);
    expect(text).toContain("request_too_large");
    expect(closed).toBe(true);
  });

  test("a client that goes on sending what is too large still gets to read why", async () => {
    const body = "x".repeat(20 * 1024 * 1024);
    for (let i = 0; i < 5; i++) {
      const response = await fetch(`${gateway.url}/v1/chat/completions`, {
        method: "POST",
        headers: { authorization: "Bearer key-all" },
        body,
      });
      expect(response.status).toBe(413);
      expect(await response.text()).toContain("request_too_large");
    }
  });

  test("a client that waits for 100-continue gets it, and its answer", async () => {
    const { statuses } = await sendRaw(withLines("Expect: 100-continue"), /HTTP\/1\.1 200 .*\}$/s);
    expect(statuses).toEqual([100, 200]);
  });
});
