import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readAnswer } from "../faults/wire-client.ts";
import { hashKey } from "../teams/keys.ts";
import { startTestGateway, type TestGateway } from "./test-gateway.ts";

const SECRET = "/home/ada/payroll-4711";
const removal = { name: "shell", arguments: { command: `rm -rf ${SECRET}` } };
const listing = { name: "shell", arguments: { command: "ls -l" } };
const misfit = { name: "shell", arguments: { cmd: SECRET } };
const invented = { name: "format_disk", arguments: { disk: SECRET } };
const big = { name: "big", arguments: { p1: SECRET } };

const shell = {
  type: "object",
  properties: { command: { type: "string" } },
  required: ["command"],
};
const tools = [
  { type: "function", function: { name: "shell", parameters: shell } },
  {
    type: "function",
    function: {
      name: "big",
      parameters: {
        type: "object",
        properties: Object.fromEntries(Array.from({ length: 2100 }, (_, i) => [`p${i}`, { type: "integer" }])),
      },
    },
  },
];

/** What the small model does when it is told so; the larger ones do as well as they are told. */
const acts = {
  removal: [removal],
  listing: [listing],
  both: [listing, removal],
  misfit: [misfit, misfit],
  invented: [invented],
  big: [big],
};
type Act = keyof typeof acts;
const rules = (letter: string) =>
  (Object.keys(acts) as Act[]).flatMap((act) => [
    {
      when: { contains: `${letter} says and does ${act};` },
      reply: { deltas: ["Let me see.\n"], tool_calls: acts[act] },
    },
    { when: { contains: `${letter} does ${act};` }, reply: { tool_calls: acts[act] } },
  ]);

/** The same as text, as an engine without a parser leaves it. */
const written = `<tool_call>\n${JSON.stringify(removal)}\n</tool_call>`.match(/[\s\S]{1,6}/g)!;
const writes = [
  { when: { contains: "Edge says and writes;" }, reply: { deltas: ["Let me see.\n", ...written] } },
  { when: { contains: "Edge writes;" }, reply: { deltas: written } },
];

let gateway: TestGateway<"edge" | "gpu" | "top">;
beforeAll(async () => {
  const otherwise = [{ reply: { deltas: ["I will ", "not."] } }];
  gateway = await startTestGateway({
    engines: {
      edge: { kind: "vllm", models: ["m"], script: [...rules("Edge"), ...writes, ...otherwise] },
      gpu: { kind: "sglang", models: ["m"], script: [...rules("Gpu"), ...otherwise] },
      top: { kind: "sglang", models: ["m"], script: otherwise },
    },
    yaml: ({ edge, gpu, top }) => `
backends:
  edge: { kind: vllm, url: "${edge}" }
  gpu: { kind: sglang, url: "${gpu}" }
  top: { kind: sglang, url: "${top}" }
models:
  free: { on: [{ backend: edge, model: m }], tools: true }
  flags: { on: [{ backend: edge, model: m }], tools: true, guard: { schema: flag, undeclared: flag } }
  rejects:
    on: [{ backend: edge, model: m }]
    tools: true
    guard: { deny: [{ name: removal, tool: shell, when: { argument: command, matches: "rm -rf*" } }], undeclared: reject, schema: reject }
  asks:
    on: [{ backend: edge, model: m }]
    tools: true
    fallback: [large, largest]
    guard: { schema: escalate, undeclared: escalate, deny: [{ name: removal, tool: shell, when: { argument: command, matches: "rm -rf*" }, action: escalate }] }
  large:
    on: [{ backend: gpu, model: m }]
    tools: true
    guard: { deny: [{ name: removal, tool: shell, when: { argument: command, matches: "rm -rf*" }, action: escalate }], schema: flag }
    fallback: [largest]
  largest: { on: [{ backend: top, model: m }], tools: true }
teams:
  all: { keys: ["${hashKey("key-all")}"] }
  metered: { keys: ["${hashKey("key-metered")}"], limits: { tokens: 100M/min } }
  careful:
    keys: ["${hashKey("key-careful")}"]
    guard: { schema: escalate, deny: [{ tool: "format_*" }, { name: no-listing, tool: shell, when: { argument: command, matches: "ls*" }, action: flag }] }
`,
  });
});
afterAll(() => gateway.close());

async function ask(model: string, prompt: string, stream: boolean, team = "all") {
  const response = await gateway.post(
    "/v1/chat/completions",
    { model, stream, tools, messages: [{ role: "user", content: `${prompt};` }] },
    { authorization: `Bearer key-${team}` },
  );
  const text = await response.text();
  const headers = { "content-type": response.headers.get("content-type") ?? "" };
  const reading = readAnswer({ text, headers });
  const calls = reading.chunks
    .flatMap((chunk) => chunk.choices ?? [])
    .flatMap(({ delta, message }) => (delta ?? (message as typeof delta))?.tool_calls ?? []) as {
    function: { name: string; arguments: string };
  }[];
  return {
    status: response.status,
    header: (name: string) => response.headers.get(`x-signalbox-${name}`),
    text,
    ...reading,
    calls: calls.map((call) => [call.function.name, JSON.parse(call.function.arguments)]),
  };
}

const asCalls = (act: Act) => acts[act].map((call) => [call.name, call.arguments]);
const modes = [
  { mode: "whole", stream: false },
  { mode: "streamed", stream: true },
];

/** How much a counter grows while something is done. */
async function growth(series: readonly string[], act: () => Promise<unknown>): Promise<number[]> {
  const read = async () => {
    const lines = (await gateway.metrics()).split("\n");
    return series.map((one) =>
      Number(
        lines
          .find((line) => line.startsWith(`${one} `))
          ?.split(" ")
          .at(-1) ?? 0,
      ),
    );
  };
  const before = await read();
  await act();
  return (await read()).map((value, place) => value - before[place]!);
}
const callsTotal = (backend: string, model: string, outcome: string) =>
  `signalbox_tool_calls_total{backend="${backend}",model="${model}",dialect="engine",outcome="${outcome}"}`;
const violations = (model: string, rule: string, action: string) =>
  `signalbox_tool_violations_total{model="${model}",rule="${rule}",action="${action}"}`;
const breakerOf = (backend: string) => gateway.gateway.serving.backends.get(backend)!.state.breaker;

describe.each(modes)("flag ($mode)", ({ stream }) => {
  test("lets calls through with a mark, and counts them", async () => {
    const grown = await growth(
      [
        callsTotal("edge", "flags", "clean"),
        violations("flags", "schema", "flag"),
        callsTotal("edge", "flags", "denied"),
      ],
      async () => {
        const answer = await ask("flags", "Edge does misfit", stream);
        expect(answer).toMatchObject({ status: 200, finishes: ["tool_calls"], calls: asCalls("misfit") });
        expect(answer.header("tool-calls")).toBe("flagged=2");
      },
    );
    expect(grown).toEqual([2, 2, 0]);
  });

  test("marks calls of tools that were not declared", async () => {
    const answer = await ask("flags", "Edge does invented", stream);
    expect(answer.calls).toEqual(asCalls("invented"));
    expect(answer.header("tool-calls")).toBe("flagged=1");
  });

  test("marks nothing where nothing is wrong, or nobody looks", async () => {
    for (const model of ["flags", "free"]) {
      const answer = await ask(model, "Edge does listing", stream);
      expect(answer.calls).toEqual(asCalls("listing"));
      expect(answer.header("tool-calls")).toBeNull();
    }
    expect((await ask("free", "Edge does removal", stream)).calls).toEqual(asCalls("removal"));
  });
});

test("flag behind text of a stream: the head has left, so the counter alone tells", async () => {
  const grown = await growth([violations("flags", "schema", "flag")], async () => {
    const answer = await ask("flags", "Edge says and does misfit", true);
    expect(answer).toMatchObject({ status: 200, calls: asCalls("misfit"), done: true });
    expect(answer.content).toContain("Let me see.");
  });
  expect(grown).toEqual([2]);
});

const refusal = { code: "tool_call_denied", type: "permission_error" };

describe.each(modes)("reject ($mode)", ({ stream }) => {
  test.each<[Act, string, string]>([
    ["removal", "shell: denied by removal", "removal"],
    ["misfit", "shell: arguments break «required» of the tool's schema", "schema"],
    ["invented", "format_disk: not a tool of the request", "undeclared"],
  ])("refuses %s, and says why without a word of the arguments", async (act, why, rule) => {
    const series = [callsTotal("edge", "rejects", "denied"), violations("rejects", rule, "reject")];
    const grown = await growth(series, async () => {
      const answer = await ask("rejects", `Edge does ${act}`, stream);
      expect(answer).toMatchObject({ status: 403, error: refusal, calls: [] });
      expect(answer.error?.message).toBe(`a tool call was refused by policy: ${why}`);
      expect(answer.header("attempts")).toBe("1");
    });
    expect(grown).toEqual([1, 1]);
    expect(gateway.requestLines().at(-1)).toMatchObject({ status: 403, code: "tool_call_denied", outcome: "refused" });
    expect(gateway.logLines().join("")).not.toContain(SECRET);
  });

  test("lets other calls through", async () => {
    const answer = await ask("rejects", "Edge does listing", stream);
    expect(answer).toMatchObject({ status: 200, calls: asCalls("listing") });
  });
});

describe("a call that an engine left in the text is held to the guard as well,", () => {
  test.each(modes)("and its text stays back with it ($mode)", async ({ stream }) => {
    const denied = callsTotal("edge", "rejects", "denied").replace("engine", "auto");
    const grown = await growth([denied], async () => {
      const answer = await ask("rejects", "Edge writes", stream);
      expect(answer).toMatchObject({ status: 403, error: refusal });
      expect(answer.text).not.toContain(SECRET);
    });
    expect(grown).toEqual([1]);
  });

  test("and in a stream that has begun", async () => {
    const answer = await ask("rejects", "Edge says and writes", true);
    expect(answer).toMatchObject({ status: 200, content: "Let me see.", error: refusal, finishes: [], done: false });
    expect(answer.text).not.toContain(SECRET);
  });

  test.each(modes)("and asked of the larger model ($mode)", async ({ stream }) => {
    const answer = await ask("asks", "Edge writes; Gpu does listing", stream);
    expect(answer).toMatchObject({ status: 200, calls: asCalls("listing") });
    expect(answer.header("model")).toBe("large");
  });
});

describe("reject in a stream that has begun:", () => {
  test("an error event without [DONE], and nothing of the call", async () => {
    const answer = await ask("rejects", "Edge says and does removal", true);
    expect(answer).toMatchObject({ status: 200, error: refusal, calls: [], finishes: [], done: false });
    expect(answer.content).toMatch(/^Let me see\.\s*$/);
    expect(answer.chunks.at(-1)?.error).toBeDefined();
    expect(answer.text).not.toContain(SECRET);
    expect(gateway.requestLines().at(-1)).toMatchObject({ status: 200, code: "tool_call_denied", backend: "edge" });
    expect(gateway.logLines().join("")).not.toContain(SECRET);
  });

  test("nothing of a call behind one that was sent", async () => {
    const answer = await ask("rejects", "Edge does both", true);
    expect(answer).toMatchObject({ status: 200, error: refusal, calls: asCalls("listing"), finishes: [], done: false });
    expect(answer.text).not.toContain(SECRET);
  });

  test("a whole reply with such a call is refused as a whole", async () => {
    const answer = await ask("rejects", "Edge does both", false);
    expect(answer).toMatchObject({ status: 403, error: refusal, calls: [] });
  });
});

describe.each(modes)("escalate ($mode)", ({ stream }) => {
  const asked = () =>
    (["edge", "gpu", "top"] as const).map(
      (name) => gateway.engines[name].log.filter((one) => one.method === "POST").length,
    );
  const since = async (act: () => Promise<unknown>) => {
    const before = asked();
    await act();
    return asked().map((count, place) => count - before[place]!);
  };

  test.each<Act>(["removal", "misfit", "invented"])("asks the larger model once for %s", async (act) => {
    const series = [callsTotal("edge", "asks", "denied"), callsTotal("gpu", "large", "clean")];
    let engines: number[] = [];
    const grown = await growth(series, async () => {
      engines = await since(async () => {
        const answer = await ask("asks", `Edge does ${act}; Gpu does listing`, stream);
        expect(answer).toMatchObject({ status: 200, calls: asCalls("listing"), finishes: ["tool_calls"] });
        expect(answer.header("model")).toBe("large");
        expect(answer.header("backend")).toBe("gpu");
        expect(answer.header("attempts")).toBe("2");
      });
    });
    expect(grown).toEqual([1, 1]);
    expect(engines).toEqual([1, 1, 0]);
  });

  test("holds the larger model's answer to that model's guard", async () => {
    const answer = await ask("asks", "Edge does removal; Gpu does misfit", stream);
    expect(answer).toMatchObject({ status: 200, calls: asCalls("misfit") });
    expect(answer.header("tool-calls")).toBe("flagged=2");
  });

  test("refuses when the larger model's answer is denied as well, and asks nobody else", async () => {
    const engines = await since(async () => {
      const answer = await ask("asks", "Edge does removal; Gpu does removal", stream);
      expect(answer).toMatchObject({ status: 403, error: refusal, calls: [] });
      expect(answer.header("attempts")).toBe("2");
      expect(answer.text).not.toContain(SECRET);
    });
    expect(engines).toEqual([1, 1, 0]);
    expect(gateway.requestLines().at(-1)?.tried).toMatchObject([
      { backend: "edge", outcome: "caller_error" },
      { backend: "gpu", outcome: "caller_error" },
    ]);
  });
});

test("escalate in a stream that has begun is a refusal", async () => {
  const answer = await ask("asks", "Edge says and does removal; Gpu does listing", true);
  expect(answer).toMatchObject({ status: 200, error: refusal, calls: [], finishes: [], done: false });
  expect(answer.header("model")).toBe("asks");
});

describe.each(modes)("a team's guard and a model's count together ($mode)", ({ stream }) => {
  test("the team's rule holds for a model without a guard", async () => {
    const answer = await ask("free", "Edge does invented", stream, "careful");
    expect(answer).toMatchObject({ status: 403, error: refusal });
    expect(answer.error?.message).toContain("format_disk: denied by teams.careful.guard.deny.0");
    expect((await ask("free", "Edge does invented", stream)).calls).toEqual(asCalls("invented"));
  });

  test("the stricter word counts: the team's escalate over the model's flag, the model's reject over the team's escalate", async () => {
    const one = await ask("large", "Gpu does misfit", stream, "careful");
    expect(one).toMatchObject({ status: 200, content: "I will not.", calls: [] });
    expect(one.header("model")).toBe("largest");
    expect(await ask("rejects", "Edge does misfit", stream, "careful")).toMatchObject({ status: 403, error: refusal });
  });

  test("a team's escalate is a refusal where the model has no fallback", async () => {
    expect(await ask("flags", "Edge does misfit", stream, "careful")).toMatchObject({ status: 403, error: refusal });
  });

  test("rules of both hold", async () => {
    const marked = await ask("rejects", "Edge does listing", stream, "careful");
    expect(marked.header("tool-calls")).toBe("flagged=1");
    expect(marked.calls).toEqual(asCalls("listing"));
    expect(await ask("rejects", "Edge does removal", stream, "careful")).toMatchObject({ status: 403 });
  });
});

test("a schema that is too large to be checked lets calls pass, and is counted", async () => {
  const grown = await growth(
    [violations("rejects", "unchecked", "pass"), callsTotal("edge", "rejects", "clean")],
    async () => {
      const answer = await ask("rejects", "Edge does big", false);
      expect(answer).toMatchObject({ status: 200, calls: asCalls("big") });
      expect(answer.header("tool-calls")).toBeNull();
    },
  );
  expect(grown).toEqual([1, 1]);
});

test("calls that are denied say nothing against the backend", async () => {
  for (let i = 0; i < 12; i++) {
    await ask("rejects", "Edge does removal", i % 2 === 0);
    await ask("rejects", "Edge says and does removal", true);
  }
  expect(breakerOf("edge")).toBe("closed");
  expect(breakerOf("gpu")).toBe("closed");
  expect((await ask("rejects", "Edge does listing", true)).status).toBe(200);
});

describe.each(modes)("the tokens of a reply that was denied are the team's ($mode):", ({ stream }) => {
  /** What is charged for the requests of `act`. */
  const charged = async (act: () => Promise<unknown>) => {
    const left = async () => Number((await gateway.post(...countOnly)).headers.get("x-ratelimit-remaining-tokens"));
    const before = await left();
    const between = await left();
    const lines = gateway.requestLines().length;
    await act();
    // The line is written when the tokens are settled, a moment after a client has read the end of a stream.
    await expect.poll(() => gateway.requestLines().length).toBe(lines + 1);
    return between - (await left()) - (before - between);
  };
  const countOnly = [
    "/v1/chat/completions",
    { model: "free", max_tokens: 1, messages: [{ role: "user", content: "Hi" }] },
    { authorization: "Bearer key-metered" },
  ] as const;
  const sent = () => ask("free", "Edge does removal", stream, "metered");

  test("as many as if it had been sent, where the engine counted them", async () => {
    const refused = await charged(() => ask("rejects", "Edge does removal", stream, "metered"));
    if (stream) expect(refused).toBeGreaterThan(0);
    else expect(refused).toBe(await charged(sent));
  });

  test("beside those of the larger model that was asked instead", async () => {
    const prompt = "Edge does removal; Gpu does listing";
    const alone = await charged(() => ask("large", prompt, stream, "metered"));
    const both = await charged(() => ask("asks", prompt, stream, "metered"));
    expect(both).toBeGreaterThan(alone);
  });
});
