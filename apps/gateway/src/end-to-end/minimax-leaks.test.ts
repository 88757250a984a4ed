import path from "node:path";
import { mismatch, readVectorFile } from "@signalbox/adapter/vectors";
import OpenAI from "openai";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readWithHelper } from "./read-with-helper.ts";
import { startTestGateway, type TestGateway } from "./test-gateway.ts";

const house = readVectorFile(path.join(import.meta.dirname, "../../../../packages/adapter/vectors/house.json"));

/** As hosted APIs of MiniMax-M2.1 sent them: the first two in front of users, the others by other hosts. */
const leaks = {
  "a tool's name as a tag with a stray quote, empty elements behind it": "MM27",
  "the same with line breaks written out": "MM28",
  "name and arguments as elements": "MM31",
  "two calls as elements, one without arguments": "MM32",
  "a sentence in front of a call as elements": "MM33",
  "objects by lines": "MM35",
  "tool and args in brackets": "MM36",
  "arrows and dashes in brackets": "MM37",
};

let gateway: TestGateway<"hosted">;
let client: OpenAI;
beforeAll(async () => {
  const script = house.vectors.map(({ id, input }) => ({
    when: { contains: `«${id}»` },
    reply: { text: input, finish_reason: "stop" },
  }));
  gateway = await startTestGateway({
    engines: { hosted: { kind: "openai", models: ["MiniMax-M2.1"], script } },
    yaml: ({ hosted }) => `
backends: { hosted: { kind: openai, url: "${hosted}" } }
models:
  minimax: { on: [{ backend: hosted, model: MiniMax-M2.1, dialect: minimax_m2 }] }
  unknown: { on: [{ backend: hosted, model: MiniMax-M2.1 }] }
`,
  });
  client = new OpenAI({ apiKey: "EMPTY", baseURL: gateway.baseUrl, maxRetries: 0 });
});
afterAll(() => gateway.close());

test.each(Object.entries(leaks))("a hosted MiniMax leaks %s, and the client gets calls", async (_what, id) => {
  const vector = house.vectors.find((one) => one.id === id)!;
  for (const model of ["minimax", "unknown"]) {
    const outcome = await readWithHelper(client, { model, question: `Say «${id}»`, tools: house.tools });
    expect(mismatch(vector.expect, outcome)).toBeUndefined();
  }
});

test("such calls count as leaked", async () => {
  expect(await gateway.metrics()).toMatch(
    /signalbox_tool_calls_total\{[^}]*dialect="minimax_m2",outcome="leaked"\} [1-9]/,
  );
});
