import { describe, expect, test } from "vitest";
import { type Conversation, classify } from "./classifier.ts";

const plain = {
  systemLength: 0,
  offersTools: false,
  hasImages: false,
  jsonSchema: false,
  toolLoop: false,
  codingAgent: false,
};
const talk = (turns: readonly string[], more: Partial<Conversation> = {}) =>
  classify({ ...plain, userTurns: turns, ...more });
const complexityOf = (...turns: string[]) => talk(turns).complexity;

const rateLimiter = "Design a fault-tolerant distributed rate limiter and analyse its failure modes";
const easy = [
  "hi there",
  "Thanks!",
  "What is the capital of France?",
  "Who wrote Hamlet?",
  "What time is it in Tokyo?",
  "Write a haiku about autumn",
  "Translate 'good morning' to Spanish",
  "你好",
  "谢谢！",
  "法国的首都是哪里？",
  "把“早上好”翻译成英文",
];
const hard = [
  rateLimiter,
  "Prove that sqrt(2) is irrational, step by step",
  "Write a detailed plan to migrate a monolith with 40 services to Kubernetes without downtime.",
  "设计一个容错的分布式限流器，并分析其失效模式",
  "证明根号2是无理数，请一步一步推导",
];
const middling = [
  "A baker sells 12 loaves a day at 3 dollars each and pays 15 dollars for flour. How much does she earn in 7 days?",
  "Tom has 48 marbles and gives half of them to his sister. How many marbles do they have altogether after he buys 10 more?",
  "小明有5个苹果，给了小红2个，又买了3袋每袋4个，一共有多少个？",
  "Compare PostgreSQL and MySQL for a multi-tenant product, considering replication, cost and operations.",
  "Find the bug:\n```python\ndef mean(xs):\n    return sum(xs) / len(xs) - 1\n```",
];

test.each(easy)("simple: %s", (text) => expect(complexityOf(text)).toBe("simple"));
test.each(hard)("complex: %s", (text) => expect(complexityOf(text)).toBe("complex"));
test.each(middling)("at least moderate: %s", (text) => expect(complexityOf(text)).not.toBe("simple"));

test("300 lines of code to review are complex", () => {
  const code =
    "function handle(request, reply) {\n  const value = parse(request.body);\n  return reply.end(value);\n}\n";
  expect(complexityOf(`Please review this:\n${code.repeat(75)}`)).toBe("complex");
});

describe("the whole conversation is judged", () => {
  test("a short line after a hard task is not easy", () => {
    expect(complexityOf(rateLimiter, "commit it")).toBe("complex");
    expect(talk([rateLimiter, "ok", "commit it"]).reasons).toContain("hardest turn was 2 turns ago");
  });

  test("goes up at once and comes down slowly", () => {
    expect(complexityOf("hi", "thanks", rateLimiter)).toBe("complex");
    const scores = Array.from({ length: 15 }, (_, later) => talk([rateLimiter, ...Array(later).fill("ok")]).score);
    expect(scores[3]).toBeGreaterThan(0.5);
    expect(scores.at(-1)).toBeLessThan(0.5);
  });

  test("small talk stays simple for as long as it lasts", () => {
    expect(complexityOf(...Array(60).fill("tell me another joke"))).toBe("simple");
  });

  test("nothing said at all is simple", () => {
    expect(talk([])).toMatchObject({ score: 0, complexity: "simple", reasons: [] });
  });
});

describe("the agentic floor", () => {
  test.each([{ toolLoop: true }, { codingAgent: true }])("%j is never less than complex", (flag) => {
    const { complexity, score, reasons } = talk(["ok"], flag);
    expect(complexity).toBe("complex");
    expect(score).toBe(0.65);
    expect(reasons[0]).toContain("never downgraded");
  });

  test("follows the policy's thresholds", () => {
    const thresholds = { moderate: 0.8, complex: 0.95 };
    expect(classify({ ...plain, userTurns: ["ok"], toolLoop: true }, thresholds).complexity).toBe("complex");
    expect(classify({ ...plain, userTurns: [rateLimiter] }, thresholds).complexity).not.toBe("complex");
  });
});

test("a long system prompt, tools, images and a schema weigh in, but do not make a greeting hard", () => {
  const heavy = talk(["hi there"], { systemLength: 40_000, offersTools: true, hasImages: true, jsonSchema: true });
  expect(heavy.score).toBeGreaterThan(talk(["hi there"]).score);
  expect(talk(["hi there"], { systemLength: 40_000, offersTools: true }).complexity).toBe("simple");
});

test("reasons name signals and hold nothing of the prompt", () => {
  const { reasons } = talk(["Prove the Xylophone conjecture for 17 and 23"]);
  expect(reasons.join()).toContain("deep reasoning");
  expect(reasons.join().toLowerCase()).not.toMatch(/xylophone|conjecture|17|23/);
});

describe("harmless rewording does not change the decision", () => {
  const rewordings: Record<string, (text: string) => string> = {
    "upper case": (text) => text.toUpperCase(),
    "more spaces": (text) => `  ${text.replaceAll(" ", "  ")} `,
    "polite before": (text) => `Hello! Could you please help me with this? ${text}`,
    "polite after": (text) => `${text} Thank you very much in advance!`,
    "polite in Chinese": (text) => `你好，${text}谢谢！`,
    "a typo": (text) => text.replace(/([a-z])([a-z])(?=[a-z]*$)/, "$2$1"),
    "no full stop": (text) => text.replace(/[.?!？！]+$/, ""),
  };
  const all = [...easy, ...middling, ...hard];
  test.each(Object.entries(rewordings))("%s", (_, reword) => {
    const flipped = all.filter((text) => complexityOf(text) !== complexityOf(reword(text)));
    expect(flipped.length).toBeLessThanOrEqual(all.length * 0.05);
  });
});

test("takes far less than 0.25 ms for ordinary prompts, and bounded time for huge ones", () => {
  const time = (text: string, rounds: number) => {
    const began = performance.now();
    for (let round = 0; round < rounds; round++) complexityOf(text);
    return (performance.now() - began) / rounds;
  };
  const ordinary = `${rateLimiter}. ${"It must keep each tenant within 200 requests a minute. ".repeat(20)}`;
  time(ordinary, 300);
  // The quickest of many rounds: what else the machine does is not the classifier's time.
  const quickest = (text: string, rounds: number) => Math.min(...Array.from({ length: rounds }, () => time(text, 1)));
  expect(quickest(ordinary, 200)).toBeLessThan(0.25);
  expect(quickest(ordinary.repeat(5000), 5)).toBeLessThan(10);
});
