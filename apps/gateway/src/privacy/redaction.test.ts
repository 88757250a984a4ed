import { describe, expect, test } from "vitest";
import { createRedaction, redactionNames } from "./redaction.ts";

const all = createRedaction(redactionNames);
const take = (text: string) => all.take(text, 100_000);

describe("built-in patterns", () => {
  test.each([
    ["email", "write to anna.müller+x@mail.example.org.", "write to [redacted:email]."],
    ["credit_card", "card 4111 1111 1111 1111, please", "card [redacted:credit_card], please"],
    ["credit_card", "5500-0000-0000-0004", "[redacted:credit_card]"],
    ["credit_card", "my.378282246310005", "my.[redacted:credit_card]"],
    ["credit_card", "4111111111111111 12", "[redacted:credit_card]"],
    ["iban", "to DE89 3704 0044 0532 0130 00 today", "to [redacted:iban] today"],
    ["iban", "gb82west12345698765432", "[redacted:iban]"],
    ["iban", "ab12 look here DE89370400440532013000", "ab12 look here [redacted:iban]"],
    ["phone", "call +49 (0)30 123 456-78", "call [redacted:phone]"],
    ["phone", "(555) 123-4567 or 030 / 1234567", "[redacted:phone] or 030 / 1234567"],
    ["phone", "0043 1 5880", "[redacted:phone]"],
    ["api_key", "key sk-proj-abcdefghijklmnop1234", "key [redacted:api_key]"],
    ["api_key", "AKIAIOSFODNN7EXAMPLE ghp_abcdefghijklmnopqrst", "[redacted:api_key] [redacted:api_key]"],
    ["api_key", "Authorization: Bearer abcdefghijklmnop1234==", "Authorization: [redacted:api_key]"],
    ["api_key", "eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl", "[redacted:api_key]"],
    ["api_key", "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----!", "[redacted:api_key]!"],
    ["ipv4", "from 192.168.1.77:8080", "from [redacted:ipv4]:8080"],
  ] as const)("%s: %s", (_name, text, left) => {
    expect(take(text)).toBe(left);
  });

  test.each([
    "The answer is 42, or 3.14159265358979 in the year 2026.",
    "1234567890123456",
    "chapter 4, section 12-3; 1 000 000 people",
    "a@b, @you, sk-ip, Bearer of news",
    "999.999.999.999 is no address",
  ])("leaves alone: %s", (text) => {
    expect(take(text)).toBe(text);
  });

  test("no text makes them slow", () => {
    const parts = [
      "a",
      "a.",
      "1 ",
      "1",
      "a@",
      "a@a.",
      "AB12",
      "AB12 ",
      "+1",
      "eyJa",
      "-eyJ",
      "-eyJaaaaaaaa.",
      "0-",
      "Bearer ",
      "-----BEGIN ",
    ];
    const slow = parts.map((part) => {
      const text = part.repeat(Math.ceil(70_000 / part.length));
      const began = performance.now();
      take(text);
      return { part, ms: performance.now() - began };
    });
    expect(slow.filter(({ ms }) => ms > 1000)).toEqual([]);
  });
});

describe("own patterns", () => {
  const own = createRedaction([{ name: "customer", matches: "kd-[0-9]{8}", ignoreCase: true }, "email"]);

  test("are looked for beside the built-in ones", () => {
    expect(own.take("KD-12345678 and a@b.example", 1000)).toBe("[redacted:customer] and [redacted:email]");
  });

  test("matches that overlap become one, under the name of the first, or of the longest", () => {
    expect(own.take("kd-12345678 kd-12345678@b.example!", 1000)).toBe("[redacted:customer] [redacted:email]!");
    expect(own.take("x.kd-12345678@b.example!", 1000)).toBe("[redacted:email]!");
  });
});

describe("a limit", () => {
  test("never leaves the beginning of a match, wherever it falls", () => {
    const secret = "4111 1111 1111 1111";
    const text = `pay ${secret} now`;
    for (let limit = 0; limit <= text.length; limit++) {
      const left = all.take(text, limit);
      expect(left.includes("4"), `${limit}: ${left}`).toBe(false);
      expect(left.length).toBeLessThanOrEqual(limit + 80);
    }
  });

  test("holds when the marks are longer than what they stand for", () => {
    const short = createRedaction([{ name: "digit", matches: "[0-9]", ignoreCase: false }]);
    const left = short.take(`${"1".repeat(1000)}`, 1000);
    expect(left.length).toBeLessThanOrEqual(1080);
    expect(left).toMatch(/^(\[redacted:digit\])+[^1]*$/);
  });

  test("costs no more for what lies behind it", () => {
    const began = performance.now();
    all.take("a@b.c ".repeat(3_000_000), 100);
    expect(performance.now() - began).toBeLessThan(200);
  });
});
