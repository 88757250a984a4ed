import { expect, test } from "vitest";
import { streamParts } from "./answers.ts";
import { createHttp1Reader } from "./http1-reader.ts";
import { createStreamCheck } from "./stream-check.ts";

const tokens = 3;

/** The text of a stream as the upstream sends it, event by event. */
function events(): string[] {
  const { role, content, ending } = streamParts(tokens, true);
  let text = "";
  const read = createHttp1Reader({
    head: () => undefined,
    body: (bytes) => {
      text += bytes.toString();
    },
    end: () => undefined,
  });
  read(Buffer.from("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"));
  read(Buffer.concat([role, ...content, ending]));
  return text.split("\n\n").slice(0, -1);
}

function check(sent: readonly string[], cut = 0): void {
  const stream = createStreamCheck(tokens);
  const bytes = Buffer.from(sent.map((event) => `${event}\n\n`).join(""));
  stream.read(bytes.subarray(0, bytes.length - cut));
  stream.end();
}

test("the stream that the upstream sends is right", () => {
  expect(events()).toHaveLength(tokens + 4);
  expect(() => check(events())).not.toThrow();
});

test("a lost token is noticed", () => {
  expect(() => check(events().toSpliced(2, 1))).toThrow('token 1 is " word2"');
});

test("a doubled token is noticed", () => {
  const all = events();
  expect(() => check(all.toSpliced(2, 0, all[1]!))).toThrow('token 1 is " word0"');
});

test("a stream that ends early is noticed", () => {
  expect(() => check(events().slice(0, 3))).toThrow("2 tokens came, 3 were sent");
  expect(() => check(events(), 5)).toThrow("the stream ends within an event");
});

test.each([
  ["finish_reason", 4],
  ["usage", 5],
  ["[DONE]", 6],
])("a missing %s is noticed", (_, index) => {
  expect(() => check(events().toSpliced(index, 1))).toThrow("the stream ends with");
});

test("an added event is noticed", () => {
  const all = events();
  expect(() => check(all.toSpliced(1, 0, all[0]!))).toThrow("8 events came, 7 were sent");
  expect(() => check(all.toSpliced(1, 0, ": ping"))).toThrow("not an event");
});
