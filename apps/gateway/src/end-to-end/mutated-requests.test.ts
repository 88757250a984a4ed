import { connect } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startTestGateway, type TestGateway } from "./test-gateway.ts";

const SEED = 20_261_121;
const CASES = 600;
const AT_ONCE = 16;
/** Of silence: then the client ends its side, as one that waits for nothing more. */
const SILENCE_MS = 250;

let gateway: TestGateway<"one">;

beforeAll(async () => {
  gateway = await startTestGateway({
    engines: { one: { kind: "vllm", models: ["m"] } },
    yaml: ({ one }) => `
backends: { one: { kind: vllm, url: "${one}" } }
models: { m: { on: [{ backend: one, model: m }], embeddings: true } }
`,
  });
});
afterAll(() => gateway.close());

/** Numbers in [0, 1), the same in every run. */
function createRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

const JUNK = [
  "\r\n",
  "\n",
  "\0",
  " ",
  ":",
  "{",
  "}",
  "[",
  '"',
  "\\",
  ",",
  "null",
  "-1",
  "9".repeat(30),
  "é",
  "\xff",
  "chunked",
  "0\r\n\r\n",
];

const HOST = "Host: x\r\nConnection: close";

function requests(): string[] {
  const post = (path: string, body: object, ...lines: string[]) => {
    const text = JSON.stringify(body);
    return [
      `POST ${path} HTTP/1.1`,
      HOST,
      "Content-Type: application/json",
      `Content-Length: ${text.length}`,
      ...lines,
      "",
      text,
    ].join("\r\n");
  };
  const messages = [{ role: "user", content: "hi" }];
  const chunk = JSON.stringify({ model: "m", messages });
  return [
    post("/v1/chat/completions", { model: "m", messages, max_tokens: 4 }),
    post("/v1/chat/completions", {
      model: "m",
      messages,
      stream: true,
      max_tokens: 4,
      stream_options: { include_usage: true },
    }),
    post("/v1/chat/completions", {
      model: "m",
      messages,
      n: 2,
      tools: [{ type: "function", function: { name: "f" } }],
    }),
    post("/v1/completions", { model: "m", prompt: ["a", "b"], max_tokens: 4 }),
    post("/v1/embeddings", { model: "m", input: [1, 2, 3] }),
    `POST /v1/chat/completions HTTP/1.1\r\n${HOST}\r\nTransfer-Encoding: chunked\r\n\r\n${chunk.length.toString(16)}\r\n${chunk}\r\n0\r\n\r\n`,
    `GET /v1/models/m HTTP/1.1\r\n${HOST}\r\n\r\n`,
  ];
}

function mutate(text: string, random: () => number): string {
  let mutated = text;
  for (let left = 1 + Math.floor(random() * 3); left > 0; left--) {
    const at = Math.floor(random() * mutated.length);
    const junk = JUNK[Math.floor(random() * JUNK.length)] ?? "";
    const length = Math.floor(random() * 6);
    switch (Math.floor(random() * 4)) {
      case 0:
        mutated = mutated.slice(0, at) + junk + mutated.slice(at);
        break;
      case 1:
        mutated = mutated.slice(0, at) + mutated.slice(at + length);
        break;
      case 2:
        mutated = mutated.slice(0, at) + String.fromCharCode(Math.floor(random() * 256)) + mutated.slice(at + 1);
        break;
      default:
        mutated = mutated.slice(0, at) + mutated.slice(at, at + length * 8).repeat(2) + mutated.slice(at + length * 8);
    }
  }
  return mutated;
}

/** All that comes back for some bytes; undefined = the gateway left it hanging. */
function exchange(bytes: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ port: gateway.port, host: "127.0.0.1", allowHalfOpen: true });
    let text = "";
    // Not a wait: a bound, for a gateway that would neither answer nor close.
    const timer = setTimeout(() => {
      socket.destroy();
      resolve(undefined);
    }, 10_000);
    const silence = setTimeout(() => socket.end(), SILENCE_MS);
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString("latin1");
      silence.refresh();
    });
    socket.on("error", () => {});
    socket.on("end", () => socket.end());
    socket.on("close", () => {
      clearTimeout(timer);
      clearTimeout(silence);
      resolve(text);
    });
    socket.write(Buffer.from(bytes, "latin1"));
  });
}

/** What is wrong with an answer, if anything. */
function fault(text: string | undefined): string | undefined {
  if (text === undefined) return "left hanging";
  if (/HTTP\/1\.1 5\d\d/.test(text)) return "a 5xx";
  if (/node_modules|\bat \S+ \(/.test(text)) return "a stack";
  // A stream that was begun either ends with [DONE] or with an error.
  const begun = text.match(/text\/event-stream/g)?.length ?? 0;
  const ended = (text.match(/data: \[DONE\]/g)?.length ?? 0) + (text.match(/data: \{"error"/g)?.length ?? 0);
  return begun === ended ? undefined : `${begun} streams, ${ended} ends`;
}

test(`${CASES} mutated requests: none hangs, none is a 5xx, none is cut short, and nothing stays under way`, async () => {
  const random = createRandom(SEED);
  const originals = requests();
  for (const original of originals) expect(await exchange(original)).toMatch(/HTTP\/1\.1 200 /);
  const cases = Array.from({ length: CASES }, (_, i) => mutate(originals[i % originals.length] ?? "", random));
  const faults: { sent: string; fault: string; got: string | undefined }[] = [];
  const workers = Array.from({ length: AT_ONCE }, async () => {
    for (let sent = cases.pop(); sent !== undefined; sent = cases.pop()) {
      const got = await exchange(sent);
      const wrong = fault(got);
      if (wrong !== undefined) faults.push({ sent, fault: wrong, got: got?.slice(0, 2000) });
    }
  });
  await Promise.all(workers);
  expect(faults).toEqual([]);
  await expect.poll(() => gateway.metrics()).toMatch(/^signalbox_in_flight_requests 0$/m);
  expect(gateway.gateway.serving.backends.get("one")?.state).toMatchObject({ breaker: "closed", inFlight: 0 });
  expect(await exchange(originals[0] ?? "")).toMatch(/HTTP\/1\.1 200 /);
});
