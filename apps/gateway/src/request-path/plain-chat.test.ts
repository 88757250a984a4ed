import { ChatRequest } from "@signalbox/protocol";
import fc from "fast-check";
import { expect, test } from "vitest";
import { isPlainChat } from "./plain-chat.ts";

const odd = fc.oneof(fc.jsonValue(), fc.constantFrom(null, -1, 1.5, 1e300, "", "x", [], {}, true));
const message = fc.oneof(
  fc.record({ role: fc.constantFrom("user", "system"), content: fc.string() }),
  fc.dictionary(fc.constantFrom("role", "content", "tool_calls", "reasoning", "name"), odd),
);
const body = fc
  .tuple(
    fc.record({
      model: fc.oneof(fc.string(), odd),
      messages: fc.oneof(fc.array(message, { minLength: 1, maxLength: 2 }), odd),
    }),
    fc.dictionary(fc.constantFrom(...Object.keys(ChatRequest.shape), "seed", "user", "__proto__"), odd, { maxKeys: 3 }),
  )
  .map(([first, more]) => ({ ...first, ...more }));

test("what passes as plain is what the schema accepts", () => {
  let plain = 0;
  fc.assert(
    fc.property(body, (value) => {
      if (!isPlainChat(value)) return;
      plain++;
      expect(ChatRequest.safeParse(value).success).toBe(true);
    }),
    { numRuns: 5000, seed: 7 },
  );
  expect(plain).toBeGreaterThan(20);
});

test("the requests that most clients send are plain", () => {
  const messages = [
    { role: "system", content: "Be brief." },
    { role: "user", content: "hi", name: "ann" },
  ];
  expect(isPlainChat({ model: "auto", messages, stream: true, max_tokens: 5, temperature: 1, seed: 7 })).toBe(true);
  expect(isPlainChat({ model: "auto", messages, tools: [] })).toBe(false);
  expect(isPlainChat({ model: "auto", messages: [] })).toBe(false);
  const thought = { role: "assistant", content: "hi", reasoning_content: "a greeting" };
  expect(isPlainChat({ model: "auto", messages: [...messages, thought] })).toBe(false);
});
