import type { Scene } from "../scenario.ts";
import { chatBody } from "../stage.ts";
import { ask, readAnswer } from "../wire-client.ts";
import { chatEvent, DONE } from "../wire-events.ts";

const HEAD = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n";

/** F31: a stream in two pieces, cut at every byte in turn. */
export async function playEverySplit({ checks, start }: Scene): Promise<void> {
  const text = "Grüße, 世界 👋🏽 \u2028 and \\n";
  const body =
    chatEvent("Grüße, 世界 👋🏽", null, "assistant") + chatEvent(" \u2028 and \\n") + chatEvent("", "stop") + DONE;
  const bytes = Buffer.from(body);
  const head = Buffer.from(`${HEAD}content-length: ${bytes.length}\r\n\r\n`);
  let at = 0;
  const stage = await start({
    pools: [
      {
        fallback: false,
        raw: ({ socket }) =>
          void socket.write(Buffer.concat([head, bytes.subarray(0, at)]), () => socket.write(bytes.subarray(at))),
      },
    ],
  });
  const changed: number[] = [];
  for (at = 1; at < bytes.length; at++) {
    if ((await stage.chat(true, { says: text })).text !== body) changed.push(at);
  }
  checks.is("client", "bytes at which a cut changes the answer", changed, []);
  checks.is("engines", "requests", stage.pool.posts("primary"), bytes.length - 1);
  const ok = await stage.grown("signalbox_attempts_total", { backend: "primary", outcome: "ok" });
  checks.is("metrics", "attempts that succeeded", ok, bytes.length - 1);
}

/** F32: what is no character becomes U+FFFD, and all else stays. */
export async function playInvalidBytes({ checks, start }: Scene): Promise<void> {
  const stage = await start();
  const { pool, gateway } = stage;
  await pool.strike({ kind: "invalid_utf8", times: 1 });
  const body = chatBody(pool.names.large, true);
  const answer = await ask(gateway.url, { body });
  const { content, done, finishes } = readAnswer(answer);
  checks.that("client", "nothing of it shows", content.includes("\ufffd"));
  checks.is("client", "the words without it", content.replaceAll("\ufffd", ""), pool.words.primary);
  checks.is("client", "[DONE]", done, true);
  checks.is("client", "finish_reasons", finishes, ["stop"]);
  checks.is("client", "the next answer", (await stage.chat(true)).content, pool.words.primary);
  checks.is("engines", "requests", pool.posts("primary"), 2);
  checks.is("metrics", "attempts that succeeded", await stage.grown("signalbox_attempts_total", { outcome: "ok" }), 2);
}

/** F33: so many chunks of one byte, beside as many events in a chunk each. */
export async function playSingleBytes({ checks, start, note, profile }: Scene): Promise<void> {
  const chunks = profile.pick(20_000, 100_000);
  const event = chatEvent("w ", null);
  const bytesOf = (events: number): string => `${event.repeat(events)}${chatEvent("", "stop")}${DONE}`;
  const spread = bytesOf(Math.ceil(chunks / event.length));
  let singles = false;
  const stage = await start({
    pools: [
      {
        fallback: false,
        raw({ socket }) {
          socket.write(`${HEAD}transfer-encoding: chunked\r\n\r\n`);
          const pieces = singles
            ? [...spread].map((byte) => `1\r\n${byte}\r\n`)
            : Array<string>(chunks).fill(`${event.length.toString(16)}\r\n${event}\r\n`);
          socket.write(pieces.join(""));
          const end = chatEvent("", "stop") + DONE;
          socket.write(singles ? "0\r\n\r\n" : `${end.length.toString(16)}\r\n${end}\r\n0\r\n\r\n`);
        },
      },
    ],
  });
  const cost = async (words: number): Promise<number> => {
    const before = stage.gateway.cpuMs();
    const answer = await stage.chat(true, { says: "w ".repeat(words) });
    checks.is("client", "[DONE]", answer.done, true);
    return stage.gateway.cpuMs() - before;
  };
  await cost(chunks);
  const normal = await cost(chunks);
  singles = true;
  const split = await cost(Math.ceil(chunks / event.length));
  note("cpu_ms_events", normal);
  note("cpu_ms_bytes", split);
  // Steps of 10 ms.
  checks.within("metrics", "ms of CPU", split, 0, 2 * normal + 10);
  checks.is("engines", "requests", stage.pool.posts("primary"), 3);
}
