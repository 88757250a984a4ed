import { sendRaw } from "../../hostile/send-raw.ts";
import type { Checks } from "../checks.ts";
import { holdUpOf, playRefusals, type Refusal } from "../refusals.ts";
import type { Scenario } from "../scenario.ts";
import { chatBody, type Stage } from "../stage.ts";
import { ask } from "../wire-client.ts";

const MiB = 1024 * 1024;
const HOLD_UP_MS = 50;

const messages = '"messages":[{"role":"user","content":"count"}]';
const deep = (open: string, depth: number) => () => `{"model":"large","messages":${open.repeat(depth)}`;
const manyKeys = (count: number) => () =>
  `{"model":"large","x":{${Array.from({ length: count }, (_, i) => `"${i}":1`).join(",")}}}`;

/** A row whose requests are all refused. */
function refusing(id: string, title: string, refusals: readonly Refusal[]): Scenario {
  return {
    id,
    title,
    alone: refusals.some(({ within }) => within !== undefined),
    async play({ start, checks }) {
      await playRefusals(await start(), checks, refusals);
    },
  };
}

const badRequest = (what: string, code: string, body: string): Refusal => ({
  what,
  code,
  status: 400,
  body: () => body,
});

/** F59: the loop is free while 10 MB are read, decided upon and sent on. */
const longPrompt: Scenario = {
  id: "F59",
  title: "a prompt of 10 MB -> answered; the event loop is never held up for 50 ms",
  alone: true,
  async play({ start, checks, note }) {
    const stage = await start({ pools: [{ fallback: false, primary: { context: 20_000_000 } }] });
    const parts = Array.from({ length: 100 }, () => ({ type: "text", text: "word ".repeat(20_000) }));
    const body = { messages: [{ role: "user", content: parts }] };
    for (const stream of [false, true]) {
      const held = await holdUpOf(stage, async () => {
        const answer = await stage.chat(stream, { body });
        checks.is("client", "content", answer.content, stage.pool.words.primary);
        checks.is("client", "finish_reasons", answer.finishes, ["stop"]);
      });
      note(stream ? "stream_held_ms" : "whole_held_ms", held);
      checks.within("metrics", "the event loop's hold-up in ms", held, 0, HOLD_UP_MS);
    }
    for (const { bodyBytes } of stage.pool.seen("primary"))
      checks.within("engines", "bytes of the body", bodyBytes, 10_000_000, 10_100_000);
    checks.is("engines", "requests", stage.pool.posts("primary"), 10);
  },
};

/** F60: announced or not, what is too large is refused where it is known to be. */
const tooLarge: Scenario = {
  id: "F60",
  title: "33 MB, with and without a length -> 413 at the limit, the connection is closed",
  async play({ start, checks }) {
    const stage = await start();
    const port = Number(new URL(stage.gateway.url).port);
    const rss = stage.gateway.rss();
    const head = `POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n`;
    const chunk = `${MiB.toString(16)}\r\n${"x".repeat(MiB)}\r\n`;
    const sent = {
      "announced, not sent": `${head}Content-Length: ${33 * MiB}\r\n\r\n`,
      "announced and sent": `${head}Content-Length: ${33 * MiB}\r\n\r\n${"x".repeat(33 * MiB)}`,
      "in chunks": `${head}Transfer-Encoding: chunked\r\n\r\n${chunk.repeat(33)}0\r\n\r\n`,
    };
    for (const [what, bytes] of Object.entries(sent)) {
      const answer = await sendRaw(port, bytes);
      const at = checks.at(what);
      at.is("client", "the statuses", answer.statuses, [413]);
      at.that("client", "the connection stays open", answer.closed);
      at.that("client", "the error is another", answer.text.includes('"code":"request_too_large"'));
    }
    checks.within("metrics", "MiB of memory kept", (stage.gateway.rss() - rss) / MiB, -1000, 128);
    checks.is("metrics", "requests refused", await stage.grown("signalbox_requests_total", { status: "413" }), 3);
    checks.is("engines", "requests", stage.pool.posts("primary"), 0);
  },
};

const depthBombs = refusing("F61", "a million brackets -> 400 within 20 ms", [
  { what: "brackets", body: deep("[", 1_000_000), status: 400, code: "json_too_deep", within: 20 },
  { what: "braces", body: deep('{"a":', 200_000), status: 400, code: "json_too_deep", within: 20 },
  { what: "both", body: deep('[{"a":', 160_000), status: 400, code: "json_too_deep", within: 20 },
  {
    what: "one level too many",
    body: () => `{"model":"large","messages":${"[".repeat(128)}${"]".repeat(128)}}`,
    status: 400,
    code: "json_too_deep",
  },
]);

/** F62: told after a tenth of the keys, without a parse. */
const keyBomb: Scenario = {
  id: "F62",
  title: "a million keys in 12 MB -> 400; the event loop is never held up for 50 ms",
  alone: true,
  async play({ start, checks, note }) {
    const stage = await start();
    const body = manyKeys(1_000_000);
    await playRefusals(stage, checks, [{ what: "keys", body, status: 400, code: "json_too_many_keys" }]);
    const text = body();
    const held = await holdUpOf(stage, () => ask(stage.gateway.url, { body: text }));
    note("held_ms", held);
    checks.within("metrics", "the event loop's hold-up in ms", held, 0, HOLD_UP_MS);
  },
};

const duplicates = refusing(
  "F63",
  "a member twice, also under an escape -> 400: two parsers might read two requests",
  [
    `{"model":"large",${messages},"model":"small"}`,
    `{"model":"large",${messages},"mod\\u0065l":"small"}`,
    `{"model":"large",${messages},"\\u006dodel":"large"}`,
    `{"model":"large",${messages},${messages}}`,
    `{"stream":false,"model":"large",${messages},"stream":true}`,
    `{"tools":[],"model":"large",${messages},"tools":[{"type":"function","function":{"name":"f"}}]}`,
    `{"x":1,"model":"large",${messages},"x":2}`,
    `{"":1,"model":"large",${messages},"":2}`,
  ].map((body) => badRequest(body.replace(messages, "..."), "duplicate_key", body)),
);

/** Bodies that are served, and reach the engine as they were sent but for the model's name. */
function passing(id: string, title: string, bodies: Readonly<Record<string, string>>): Scenario {
  return {
    id,
    title,
    async play({ start, checks }) {
      const stage = await start();
      const entries = Object.entries(bodies);
      for (const [what, sent] of entries) {
        const answer = await ask(stage.gateway.url, { body: sent });
        const at = checks.at(what);
        at.is("client", "the status", answer.status, 200);
        at.is("client", "x-signalbox-model", answer.headers["x-signalbox-model"], "large");
        at.is("client", "the type", answer.headers["content-type"], "application/json");
        const seen = stage.pool.seen("primary").at(-1)?.body?.toString();
        at.is("engines", "the body", seen, sent.replace(/"model"( ?: ?)"large"/, '"model"$1"big"'));
      }
      await checkInert(stage, checks, entries.length);
    },
  };
}

async function checkInert(stage: Stage, checks: Checks, sent: number): Promise<void> {
  checks.is("engines", "requests to the fallback", stage.pool.posts("fallback"), 0);
  const labels = { model: "large", status: "200" };
  checks.is("metrics", "answers", await stage.grown("signalbox_requests_total", labels), sent);
  // What one request did to every object would show in the next one.
  const next = await stage.chat(false);
  checks.is("client", "the next answer", next.content, stage.pool.words.primary);
  const clean = JSON.stringify(chatBody("big", false));
  checks.is("engines", "the next body", stage.pool.seen("primary").at(-1)?.body?.toString(), clean);
}

const polluting = passing("F64", "__proto__ and constructor as members -> names like any other", {
  proto: `{"__proto__":{"stream":true,"model":"small"},"model":"large",${messages}}`,
  constructor: `{"constructor":{"prototype":{"stream":true,"model":"small"}},"model":"large",${messages}}`,
  "in a message": `{"model":"large","messages":[{"role":"user","content":"count","__proto__":{"role":"system"}}]}`,
  "in metadata": `{"model":"large",${messages},"metadata":{"__proto__":{"stream":true},"toString":1,"hasOwnProperty":null}}`,
  "by an escape": `{"\\u005f_proto__":{"stream":true},"model":"large",${messages}}`,
});

const bigNumbers = passing("F65", "numbers beyond 2^53, odd spellings -> the bytes that were sent reach the engine", {
  seed: `{ "seed" : 9007199254740993 , "model" : "large", ${messages} }`,
  "thirty digits": `{"model":"large","x":123456789012345678901234567890,"y":-0,"z":1.0,${messages}}`,
  exponents: `{"model":"large","temperature":0.10,"x":1E-2,"y":1e400,${messages}}`,
  text: `{"model":"large","x":"\\u00e9 \\/ é \\ud83d\\ude00",${messages}}`,
  order: `{"z":1,"model":"large","1":2,"a":{"b":[1.0,{"c":-0}]},"0":3,${messages}}`,
});

/** F59 to F65: bodies that are long, deep, or read differently by two parsers. */
export const hostileBodies: readonly Scenario[] = [
  ...[longPrompt, tooLarge, depthBombs, keyBomb],
  ...[duplicates, polluting, bigNumbers],
];
