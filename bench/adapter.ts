import { parseArgs } from "node:util";
import { type DialectName, dialects } from "../packages/adapter/src/dialects.ts";
import { Normaliser } from "../packages/adapter/src/normaliser.ts";
import { openingsOf } from "../packages/adapter/src/openings.ts";
import { Parser } from "../packages/adapter/src/parser.ts";
import { readTools } from "../packages/adapter/src/tools.ts";
import { ReplyEvent } from "../packages/protocol/src/reply.ts";
import { attacks, attackText, callHeavy, piecesOf, prose } from "./adapter-texts.ts";
import { machine, writeJson } from "./harness.ts";
import { table, verdict } from "./rounds.ts";

/** MB/s, microseconds an event, times plain text. */
const limits = { plain: 200, event: 3, attack: 3, growth: 2 };
const KB = 1000;
const sizes = [100 * KB, 1000 * KB, 10_000 * KB];
const whole = Number.POSITIVE_INFINITY;
const dialectsMeasured = ["auto", "minimax_m2"] as const;

const declared = ["get_weather", "exec"].map((name) => ({
  type: "function",
  function: {
    name,
    parameters: {
      type: "object",
      properties: { city: { type: "string" }, days: { type: "integer" }, cmd: { type: "string" } },
    },
  },
}));
const tools = readTools(declared);

const { values: options } = parseArgs({
  options: { json: { type: "string" }, gate: { type: "boolean", default: false } },
  args: process.argv.slice(2).filter((argument) => argument !== "--"),
});

/** Reads a reply; answers how many code units came out, calls apart. */
function read(dialect: DialectName, pieces: readonly string[]): number {
  let length = 0;
  const count = (text: string) => {
    length += text.length;
  };
  const parser = new Parser(
    {
      openings: openingsOf(dialects[dialect], true),
      tools,
      reasoningFirst: false,
      leaks: false,
      dialect,
      createId: () => "call_0",
    },
    { content: count, reasoning: count, call() {}, failed() {} },
  );
  for (const piece of pieces) parser.push(piece);
  parser.end("stop");
  return length;
}

/**
 * Nanoseconds that work takes: the best of many short rounds. What makes a round slower than the best one is not the
 * work, but the machine.
 */
function best(budgetMs: number, work: () => void): number {
  let least = Number.POSITIVE_INFINITY;
  const begun = performance.now();
  for (let round = 0; round < 3 || performance.now() - begun < budgetMs; round++) {
    const started = performance.now();
    let count = 0;
    do {
      work();
      count++;
    } while (performance.now() - started < 1);
    least = Math.min(least, ((performance.now() - started) * 1e6) / count);
  }
  return least;
}

function nanoseconds(dialect: DialectName, pieces: readonly string[], budgetMs = 100): number {
  return best(budgetMs, () => read(dialect, pieces));
}

/** MB/s, a code unit being a byte. */
const speed = (length: number, ns: number) => (length / ns) * 1000;

function measureSpeeds(): Record<string, number> {
  const figures: Record<string, number> = {};
  for (const [name, text] of [
    ["plain", prose(1000 * KB)],
    ["calls", callHeavy(1000 * KB)],
  ] as const)
    for (const dialect of dialectsMeasured)
      for (const piece of [4, 64, whole]) {
        const key = `${name}, ${dialect}, ${piece === whole ? "whole" : `${piece} a piece`}`;
        figures[key] = speed(text.length, nanoseconds(dialect, piecesOf(text, piece), 1000));
      }
  return figures;
}

/** A content event as vLLM's or llama.cpp's, and as SGLang's, whose nulls say nothing and are taken out. */
const deltas = {
  "as it is": (content: string) => ({ content }),
  "with nulls": (content: string) => ({ role: null, content, reasoning_content: null, tool_calls: null }),
};

function sseEvents(delta: (content: string) => object): readonly Buffer[] {
  return piecesOf(prose(30 * KB), 6).map((text) => {
    const choices = [{ index: 0, delta: delta(text), logprobs: null, finish_reason: null }];
    const head = { id: "chatcmpl-0123456789abcdef01234567", object: "chat.completion.chunk", created: 1_763_000_000 };
    return Buffer.from(`data: ${JSON.stringify({ ...head, model: "bench-large", choices })}\n\n`);
  });
}

/** Microseconds for one SSE event of a stream with tools, from its bytes: parsing its JSON, and, if asked, normalising it. */
function eventMicroseconds(dialect: DialectName, events: readonly Buffer[], normalised: boolean): number {
  return (
    best(1000, () => {
      const normaliser = new Normaliser({
        dialect,
        tools: declared,
        toolChoice: undefined,
        reasoningFirst: false,
        engineParses: true,
        streamed: true,
        includeUsage: false,
        watch: { call() {}, failed() {} },
      });
      for (const bytes of events) {
        const event = new ReplyEvent(bytes, 0, bytes.length, "data: ".length, bytes.length - 2);
        if (typeof event.json !== "object") throw new Error("an event that is not JSON");
        const out: ReplyEvent[] = [];
        if (normalised) normaliser.push(event, out);
      }
    }) /
    events.length /
    1000
  );
}

function measureEvents(): Record<string, number> {
  const figures: Record<string, number> = {};
  for (const [name, delta] of Object.entries(deltas)) {
    const events = sseEvents(delta);
    figures[`${name}, JSON alone`] = eventMicroseconds("auto", events, false);
    for (const dialect of dialectsMeasured)
      figures[`${name}, normalised, ${dialect}`] = eventMicroseconds(dialect, events, true);
  }
  return figures;
}

interface Growth {
  readonly attack: string;
  readonly pieces: string;
  /** Nanoseconds a code unit, by size. */
  readonly ns: readonly number[];
  /** The same in the measure of plain text, which came in the same pieces. */
  readonly ratios: readonly number[];
}

function measureAttacks(dialect: DialectName): Growth[] {
  return [64, whole].flatMap((piece) => {
    const texts = sizes.map((size) => piecesOf(prose(size), piece));
    const time = (pieces: readonly string[], size: number) => nanoseconds(dialect, pieces) / size;
    return attacks.map((attack) => {
      const measured = sizes.map((size, index) => {
        const plain = time(texts[index]!, size);
        const ns = time(piecesOf(attackText(attack, size), piece), size);
        return { ns, ratio: ns / plain };
      });
      return {
        attack: attack.name,
        pieces: piece === whole ? "whole" : `${piece} a piece`,
        ns: measured.map(({ ns }) => ns),
        ratios: measured.map(({ ratio }) => ratio),
      };
    });
  });
}

console.log(`adapter on ${machine()}, Node ${process.version}\n`);
const speeds = measureSpeeds();
console.log(table([["MB/s", ""], ...Object.entries(speeds).map(([name, mbs]) => [name, mbs.toFixed(0)])]));
const events = measureEvents();
console.log(
  `\n${table([["us per SSE event", ""], ...Object.entries(events).map(([name, us]) => [name, us.toFixed(3)])])}`,
);
const growth = Object.fromEntries(dialectsMeasured.map((dialect) => [dialect, measureAttacks(dialect)]));
for (const [dialect, rows] of Object.entries(growth)) {
  const lines = rows.map(({ attack, pieces, ns, ratios }) => [
    attack,
    pieces,
    ...ns.map((value) => value.toFixed(2)),
    ...ratios.map((value) => value.toFixed(2)),
  ]);
  const heads = ["100 KB", "1 MB", "10 MB"];
  console.log(
    `\n${table([[dialect, "", ...heads.map((head) => `ns, ${head}`), ...heads.map((head) => `x plain, ${head}`)], ...lines])}`,
  );
}

const all = Object.values(growth).flat();
const slowest = Math.min(
  ...Object.entries(speeds).flatMap(([name, mbs]) => (name.startsWith("plain") && name.endsWith("whole") ? [mbs] : [])),
);
const results = [
  {
    name: "us per SSE event of a normal stream",
    value: Math.max(...Object.entries(events).flatMap(([name, us]) => (name.startsWith("as it is") ? [us] : []))),
    limit: limits.event,
  },
  {
    name: "ns of an attack, x plain text",
    value: Math.max(...all.flatMap(({ ratios }) => ratios)),
    limit: limits.attack,
  },
  { name: "ns at 10 MB, x 100 KB", value: Math.max(...all.map(({ ns }) => ns[2]! / ns[0]!)), limit: limits.growth },
];
console.log(
  `\n${slowest >= limits.plain ? "PASS" : "FAIL"}  plain text ${slowest.toFixed(0)} MB/s, at least ${limits.plain}`,
);
for (const { name, value, limit } of results) console.log(verdict(name, value, limit));
writeJson(options.json, { speeds, events, growth });
if (options.gate && (slowest < limits.plain || results.some(({ value, limit }) => value > limit))) process.exitCode = 1;
