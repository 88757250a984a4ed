import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { maskReply } from "./mask-reply.ts";
import { readTools } from "./tools.ts";
import { playParser } from "./vectors/play-parser.ts";
import { readVectors } from "./vectors/vector.ts";

const tools = readTools([
  {
    type: "function",
    function: {
      name: "get-weather",
      parameters: { type: "object", properties: { city: {}, where: { properties: { zip_code: {} } } } },
    },
  },
]);

test("keeps the form, the declared names and the keys, and masks what is said", () => {
  const call =
    '<tool_call>\n{"name": "get-weather", "arguments": {"city": "Aix-en-Provence", "days": -12.5e3}}\n</tool_call>';
  expect(maskReply(`Let me look it up, Anna.\n${call}`, tools)).toBe(
    'xxx xx xxxx xx xx, xxxx.\n<tool_call>\n{"name": "get-weather", "arguments": {"city": "xxx-xx-xxxxxxxx", "days": -11.1e1}}\n</tool_call>',
  );
  expect(maskReply("<parameter=zip_code>\n13100\n</parameter>", tools)).toBe(
    "<parameter=zip_code>\n11111\n</parameter>",
  );
});

test.each([
  ["an API key", "sk-proj-Ab3dEf6hIj9lMn2pQr5t"],
  ["a key of a cloud", "AKIAIOSFODNN7EXAMPLE"],
  ["a token with dots", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w"],
  ["an e-mail address", "anna.kovács+news@example-mail.org"],
  ["a card number", "4111 1111 2222 3333"],
  ["a phone number", "+49 (0)30 901820"],
  ["Chinese", "我的密码是八七六五"],
  ["Japanese", "パスワード: さくら"],
  ["Korean, decomposed", "비밀번호".normalize("NFD")],
  ["Arabic, with its digits", "رقم ٤٥٦٧٨٩"],
  ["letters beyond the first plane", "𝓈𝑒𝒸𝓇𝑒𝓉 😀🔑"],
  ["a password with signs", "hunter2!Xq"],
  ["a lone surrogate", "ab\ud800cd"],
])("nothing of %s is left, wherever it stands", (_, secret) => {
  const json = JSON.stringify(secret);
  const escaped = [...secret].map((char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`).join("");
  const places = [
    secret,
    `I use ${secret} for <${secret}>`,
    `<tool_call>{"name": "exec", "arguments": {"cmd": ${json}, "env": {"KEY": ${json}, ${json}: 1}}}</tool_call>`,
    `<tool_call>{"name": "exec", "arguments": "{\\"cmd\\": \\"${secret}\\"}"}</tool_call>`,
    `<invoke name="exec"><parameter name="cmd">${secret}</parameter></invoke>`,
    `[exec(cmd='${secret}', more={'a': '${secret}'})]`,
    `{"cmd": "${escaped}"}`,
  ];
  const parts = secret.match(/[\p{L}\p{N}\p{M}\p{Cs}\p{Emoji_Presentation}]{2,}/gu) ?? [];
  expect(parts.length).toBeGreaterThan(0);
  for (const place of places) {
    const masked = maskReply(place, tools);
    expect(masked).toHaveLength(place.length);
    // A run of ones and of x is what everything looks like.
    for (const part of parts) if (!/^[x1]+$/.test(part)) expect(masked).not.toContain(part);
    expect(masked).not.toMatch(/[^\0-\x7f\p{P}\p{S}\p{Z}]/u);
    if (place.includes(escaped)) expect(masked).not.toContain(escaped.slice(0, 12));
  }
});

test("time is linear in the text", () => {
  for (const piece of ['"', "{ ", "\\", 'a"', ', "a', "1e", "_"]) {
    const started = performance.now();
    maskReply(piece.repeat((64 * 1024) / piece.length), tools);
    expect(performance.now() - started).toBeLessThan(500);
  }
});

const folder = join(import.meta.dirname, "../vectors");
const vectors = readdirSync(folder)
  .filter((name) => name.endsWith(".json"))
  .flatMap((file) => {
    const { vectors: own, toolSet } = readVectors(readFileSync(join(folder, file), "utf8"));
    return own.map((vector) => ({ vector, toolSet }));
  });

/** What comes of a reply: its calls with the names as they are when masked, and how long the texts are. */
function shape(input: string, { vector, toolSet }: (typeof vectors)[number]): string {
  const { calls, content, reasoning } = playParser({ ...vector, input }, toolSet, [input]);
  // A name with an escape in it shows what the escape stands for.
  const masked = (name: string) => maskReply(name, toolSet).replace(/\p{Cc}/gu, "x");
  const made = calls.map(({ name, arguments: json }) => {
    const keys = Object.keys(JSON.parse(json) as object).map((key) => maskReply(key, toolSet));
    return [masked(name), [...new Set(keys)].sort()];
  });
  return JSON.stringify([made, content?.length, reasoning?.length]);
}

test("a masked reply is read like the original: as many calls, with the declared names and arguments", () => {
  expect(vectors.length).toBeGreaterThan(900);
  const other = vectors.filter((one) => {
    return shape(one.vector.input, one) !== shape(maskReply(one.vector.input, one.toolSet), one);
  });
  // Not where the form hangs on a word that nobody declares.
  expect(other.length / vectors.length, other.map(({ vector }) => vector.id).join(" ")).toBeLessThanOrEqual(0.01);
});
