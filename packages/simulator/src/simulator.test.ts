import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { type KindName, simulatedKinds } from "./kinds/registry.ts";
import type { SimulatorInput } from "./options.ts";
import { type Simulator, startSimulator } from "./simulator.ts";
import { chatBody, eventsOf, type RawAnswer, rawRequest, textOf } from "./test-client.ts";

const running: Simulator[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((simulator) => simulator.close()));
});

async function start(options: SimulatorInput): Promise<Simulator> {
  const simulator = await startSimulator({ models: ["tiny"], ...options });
  running.push(simulator);
  return simulator;
}

const json = <T>(answer: RawAnswer): T => JSON.parse(answer.body.toString()) as T;
interface Answered {
  model: string;
  choices: {
    finish_reason: string;
    matched_stop?: unknown;
    message: {
      content: string | null;
      reasoning_content?: string | null;
      tool_calls?: { index?: number; function: { name: string; arguments: string } }[];
    };
  }[];
  usage: { prompt_tokens: number; completion_tokens: number; total_tokens: number };
  data: { embedding: number[] }[];
}

const WEATHER = {
  type: "function",
  function: {
    name: "get_weather",
    description: "Get weather of a city",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
};
const asking = { tools: [WEATHER], messages: [{ role: "user", content: "What is the weather in Paris and Rome?" }] };
const kindNames = Object.keys(simulatedKinds) as KindName[];
const servedName = (kind: KindName): string => (kind === "foundry_local" ? "tiny-generic-cpu:3" : "tiny");

describe.each(kindNames)("%s", (kind) => {
  const body = (over: Readonly<Record<string, unknown>> = {}): Record<string, unknown> =>
    chatBody({ model: servedName(kind), ...over });

  test("says who it is, the same streamed and whole, with usage that adds up", async () => {
    const simulator = await start({ kind });
    const whole = json<Answered>(await rawRequest(simulator.port, { body: body() }));
    const streamed = await rawRequest(simulator.port, { body: body({ stream: true }) });
    const text = whole.choices[0]?.message.content ?? "";
    expect(text).toContain(`${servedName(kind)} on a simulated ${simulatedKinds[kind].title}`);
    expect(textOf(streamed.body)).toBe(text);
    expect(whole.usage.total_tokens).toBe(whole.usage.prompt_tokens + whole.usage.completion_tokens);
    expect(whole.usage.completion_tokens / (text.length / 4)).toBeCloseTo(1, 0);
  });

  test("stops at max_tokens with `length` and at a stop sequence with `stop`", async () => {
    const { port } = await start({ kind });
    const short = json<Answered>(await rawRequest(port, { body: body({ max_tokens: 3 }) }));
    expect([short.choices[0]?.finish_reason, short.usage.completion_tokens]).toEqual(["length", 3]);
    const stopped = json<Answered>(await rawRequest(port, { body: body({ stop: " on a" }) }));
    expect([stopped.choices[0]?.finish_reason, stopped.choices[0]?.message.content]).toEqual([
      "stop",
      `This is ${servedName(kind)}`,
    ]);
  });

  test("calls the tool that fits, streamed and whole, and answers its result with text", async () => {
    const { port } = await start({ kind });
    const whole = json<Answered>(await rawRequest(port, { body: body(asking) }));
    expect(whole.choices[0]?.finish_reason).toBe("tool_calls");
    const calls = whole.choices[0]?.message.tool_calls?.map((call) => [
      call.function.name,
      JSON.parse(call.function.arguments),
    ]);
    expect(calls).toEqual([
      ["get_weather", { city: "Paris" }],
      ["get_weather", { city: "Rome" }],
    ]);
    const streamed = (await rawRequest(port, { body: body({ ...asking, stream: true }) })).body.toString();
    expect(streamed).toContain('"finish_reason":"tool_calls"');
    const parts = [...streamed.matchAll(/"arguments":("(?:[^"\\]|\\.)*")/g)].map(
      (match) => JSON.parse(match[1] ?? '""') as string,
    );
    expect(parts.join("")).toBe('{"city":"Paris"}{"city":"Rome"}');
    const messages = [
      ...asking.messages,
      { role: "assistant", content: null },
      { role: "tool", content: "21 degrees" },
    ];
    const after = json<Answered>(await rawRequest(port, { body: body({ ...asking, messages }) }));
    expect(after.choices[0]?.message.content).toContain("21 degrees");
  });

  test("gives JSON for a schema, vectors for texts and completions for prompts", async () => {
    const { port } = await start({ kind });
    const schema = { type: "object", properties: { a: { type: "integer", minimum: 7 } }, required: ["a"] };
    const format = { type: "json_schema", json_schema: { name: "x", schema } };
    const made = json<Answered>(await rawRequest(port, { body: body({ response_format: format }) }));
    expect(JSON.parse(made.choices[0]?.message.content ?? "")).toEqual({ a: 7 });
    const input = { model: servedName(kind), input: ["one", "two", "one"] };
    const { data } = json<Answered>(await rawRequest(port, { path: "/v1/embeddings", body: input }));
    expect(data[0]?.embedding).toEqual(data[2]?.embedding);
    expect(data[0]?.embedding).not.toEqual(data[1]?.embedding);
    expect(Math.hypot(...(data[0]?.embedding ?? []))).toBeCloseTo(1);
    const prompt = { model: servedName(kind), prompt: "Once", stream: true, max_tokens: 4 };
    const completion = await rawRequest(port, { path: "/v1/completions", body: prompt });
    expect(textOf(completion.body)).toMatch(/^ This is tiny/);
    expect(eventsOf(completion.body).at(-1)).toBe("[DONE]");
  });

  test("asks for its key when it has one", async () => {
    const { port } = await start({ kind, apiKey: "k" });
    expect((await rawRequest(port, { body: body() })).status).toBe(401);
    expect((await rawRequest(port, { body: body(), headers: ["authorization: Bearer k"] })).status).toBe(200);
  });
});

describe("deviations", () => {
  test("SGLang with a MiniMax model thinks in its content, says the name it was asked for and counts calls from -1", async () => {
    const { port } = await start({ kind: "sglang", models: ["MiniMaxAI/MiniMax-M2"] });
    const answer = json<Answered>(await rawRequest(port, { body: chatBody({ model: "anything" }) }));
    expect(answer.model).toBe("anything");
    const thinking = json<Answered>(await rawRequest(port, { body: chatBody({ model: "MiniMaxAI/MiniMax-M2" }) }));
    expect(thinking.choices[0]?.message).toMatchObject({
      content: expect.stringMatching(/^<think>\n.*\n<\/think>\n\nThis is/s),
      reasoning_content: null,
    });
    const calls = json<Answered>(await rawRequest(port, { body: chatBody(asking) })).choices[0]?.message.tool_calls;
    expect(calls?.map((call) => call.index)).toEqual([-1, -1]);
  });

  test("Foundry Local gives two calls of a stream the same index and drops reasoning", async () => {
    const { port } = await start({
      kind: "foundry_local",
      script: [{ when: { contains: "think" }, reply: { reasoning: "hm", text: "yes" } }],
    });
    const body = chatBody({ ...asking, model: "tiny-generic-cpu:3", stream: true });
    const { body: stream } = await rawRequest(port, { body });
    expect([...stream.toString().matchAll(/"index":(\d+),"id"/g)].map((match) => match[1])).toEqual(["0", "0"]);
    const thought = await rawRequest(port, {
      body: chatBody({ model: "tiny-generic-cpu:3", messages: [{ role: "user", content: "think" }] }),
    });
    expect(thought.body.toString()).not.toContain("hm");
  });

  test("Ollama and llama-server do not enforce tool_choice, vLLM does", async () => {
    const unfit = { tools: [WEATHER], tool_choice: "required", messages: [{ role: "user", content: "Hello" }] };
    const finishes: Record<string, string | undefined> = {};
    for (const kind of ["ollama", "llama_cpp", "vllm"] as const) {
      const { port } = await start({ kind });
      finishes[kind] = json<Answered>(await rawRequest(port, { body: chatBody(unfit) })).choices[0]?.finish_reason;
    }
    expect(finishes).toEqual({ ollama: "stop", llama_cpp: "stop", vllm: "tool_calls" });
  });

  test("tool_choice none keeps llama-server's parser out, not its model from calling", async () => {
    const { port } = await start({ kind: "llama_cpp" });
    const ask = async (more: object) => {
      const answer = await rawRequest(port, { body: chatBody({ ...asking, ...more }) });
      return json<{ choices: [{ message: object }] }>(answer).choices[0].message;
    };
    expect(await ask({})).toMatchObject({ tool_calls: [{}, {}] });
    const message = await ask({ tool_choice: "none" });
    expect(message).toMatchObject({ content: expect.stringMatching(/^<tool_call>\n\{"name": "/) });
    expect(message).not.toHaveProperty("tool_calls");
  });

  test("vLLM without a tool parser refuses tools, but not with tool_choice none", async () => {
    const { port } = await start({ kind: "vllm", toolParser: false });
    const refused = await rawRequest(port, { body: chatBody(asking) });
    expect([refused.status, refused.body.toString()]).toEqual([
      400,
      expect.stringContaining("--enable-auto-tool-choice"),
    ]);
    expect((await rawRequest(port, { body: chatBody({ ...asking, tool_choice: "none" }) })).status).toBe(200);
  });

  test("two choices of a stream take turns and each finishes; Ollama gives one", async () => {
    const indexesOf = async (kind: KindName): Promise<string[]> => {
      const { port } = await start({ kind });
      const { body } = await rawRequest(port, { body: chatBody({ n: 2, stream: true, max_tokens: 2 }) });
      const finished = eventsOf(body).filter((event) => event.includes('"finish_reason":"length"'));
      return finished.map((event) => /"index":(\d)/.exec(event)?.[1] ?? "");
    };
    expect([await indexesOf("sglang"), await indexesOf("llama_cpp"), await indexesOf("ollama")]).toEqual([
      ["0", "1"],
      ["0", "1"],
      ["0"],
    ]);
  });

  test("a MiniMax model thinks in the content of its stream, too", async () => {
    const { port } = await start({ kind: "sglang", models: ["MiniMaxAI/MiniMax-M2"] });
    const { body } = await rawRequest(port, { body: chatBody({ stream: true }) });
    expect(textOf(body)).toMatch(/^<think>\n.*\n<\/think>\n\nThis is/s);
  });

  test("Ollama shows what a model can do, under its name with or without a tag", async () => {
    const { port } = await start({ kind: "ollama" });
    const shown = await rawRequest(port, { path: "/api/show", body: { model: "tiny:latest" } });
    expect(json<{ capabilities: string[] }>(shown).capabilities).toContain("tools");
    expect((await rawRequest(port, { path: "/api/show", body: { model: "nope" } })).status).toBe(404);
  });

  test("SGLang tells its parsers, llama-server its slots", async () => {
    const sglang = await start({ kind: "sglang", models: ["MiniMaxAI/MiniMax-M2"] });
    const info = json<Record<string, unknown>>(await rawRequest(sglang.port, { path: "/server_info" }));
    expect(info).toMatchObject({ tool_call_parser: "minimax-m2", reasoning_parser: "minimax-append-think" });
    const llama = await start({ kind: "llama_cpp", slots: 3 });
    const props = json<Record<string, unknown>>(await rawRequest(llama.port, { path: "/props" }));
    expect(props).toMatchObject({ total_slots: 3, model_alias: "tiny" });
  });

  test("vLLM and SGLang continue an answer that was begun", async () => {
    for (const kind of ["vllm", "sglang"] as const) {
      const { port } = await start({ kind });
      const whole = json<Answered>(await rawRequest(port, { body: chatBody() })).choices[0]?.message.content ?? "";
      const messages = [
        { role: "user", content: "Say hello" },
        { role: "assistant", content: whole.slice(0, 40) },
      ];
      const body = chatBody({ messages, continue_final_message: true, add_generation_prompt: false });
      expect(json<Answered>(await rawRequest(port, { body })).choices[0]?.message.content).toBe(whole.slice(40));
    }
  });

  test("a scripted answer goes on at the right piece; vLLM without the whitespace at the end of what was begun", async () => {
    const script = [{ reply: { deltas: ["one ", "two ", "three ", "four"] } }];
    const rests = { vllm: " four", sglang: "four" } as const;
    for (const kind of ["vllm", "sglang"] as const) {
      const { port } = await start({ kind, script });
      const messages = [
        { role: "user", content: "Count" },
        { role: "assistant", content: "one two three " },
      ];
      const body = chatBody({ messages, continue_final_message: true, add_generation_prompt: false });
      expect(json<Answered>(await rawRequest(port, { body })).choices[0]?.message.content).toBe(rests[kind]);
    }
  });

  test("vLLM refuses to continue and to begin at once, and beginning is what it does unless told", async () => {
    const { port } = await start({ kind: "vllm" });
    const messages = [{ role: "assistant", content: "So" }];
    for (const more of [{}, { add_generation_prompt: true }]) {
      const answer = await rawRequest(port, { body: chatBody({ messages, continue_final_message: true, ...more }) });
      expect(answer.status).toBe(400);
      expect(answer.body.toString()).toContain("add_generation_prompt");
    }
  });

  test("vLLM and SGLang tell the tokens so far in each event, when asked", async () => {
    for (const kind of ["vllm", "sglang"] as const) {
      const { port } = await start({ kind, script: [{ reply: { deltas: ["one ", "two ", "three"] } }] });
      const stream_options = { include_usage: true, continuous_usage_stats: true };
      const { body } = await rawRequest(port, { body: chatBody({ stream: true, stream_options }) });
      const counts = [...body.toString().matchAll(/"completion_tokens":(\d+)/g)].map(([, count]) => Number(count));
      expect(counts).toEqual([0, 1, 2, 3, 3, 3]);
    }
  });

  test("llama-server and vLLM close an idle connection after 5 s, llama-server one of 100 requests", async () => {
    for (const kind of ["llama_cpp", "vllm"] as const) expect(simulatedKinds[kind].habits.idleMs).toBe(5000);
    const { port } = await start({ kind: "llama_cpp" });
    const socket = connect(port, "127.0.0.1");
    let text = "";
    socket.on("data", (data) => {
      text += data.toString();
    });
    const closed = new Promise((resolve) => socket.on("close", resolve));
    socket.write("GET /health HTTP/1.1\r\nhost: test\r\n\r\n".repeat(120));
    await closed;
    expect(text.match(/HTTP\/1\.1 200/g)).toHaveLength(100);
  });
});

describe("scripts", () => {
  test("the first rule that holds answers, as often as it may, then the engine itself", async () => {
    const script: SimulatorInput["script"] = [
      { when: { contains: "weather", turn: 0 }, reply: { tool_calls: [{ name: "f", arguments: '{"exact": 1.0}' }] } },
      { when: { stream: true }, reply: { deltas: ["a", "<b>", "\u0000"], finish_reason: "content_filter" } },
      { reply: { status: 418, body: { odd: true }, headers: { "x-odd": "1" } }, times: 1 },
    ];
    const { port } = await start({ kind: "ollama", script });
    expect((await rawRequest(port, { body: chatBody(asking) })).body.toString()).toContain(
      '"arguments":"{\\"exact\\": 1.0}"',
    );
    const streamed = (await rawRequest(port, { body: chatBody({ stream: true }) })).body.toString();
    expect(streamed).toContain('"content":"\\u003cb\\u003e"');
    expect([textOf(streamed), streamed.includes('"finish_reason":"content_filter"')]).toEqual(["a<b>\u0000", true]);
    const odd = await rawRequest(port, { body: chatBody() });
    expect([odd.status, odd.body.toString(), odd.headers.find(([name]) => name === "x-odd")?.[1]]).toEqual([
      418,
      '{"odd":true}',
      "1",
    ]);
    expect((await rawRequest(port, { body: chatBody() })).status).toBe(200);
  });

  test("a recording that is not there is a 500 that names it", async () => {
    const { port } = await start({ kind: "vllm", script: [{ reply: { raw_file: "/nowhere/x.txt" } }] });
    const answer = await rawRequest(port, { body: chatBody() });
    expect([answer.status, answer.body.toString()]).toEqual([500, expect.stringContaining("/nowhere/x.txt")]);
  });

  test("a recording is played byte for byte", async () => {
    const file = new URL("../../backends/recordings/ollama-0.33.0/runnerkill.txt", import.meta.url).pathname;
    const { port } = await start({ kind: "ollama", script: [{ reply: { raw_file: file } }] });
    const answer = await rawRequest(port, { body: chatBody() });
    const recorded = readFileSync(file, "utf8");
    expect(answer.complete).toBe(true);
    expect(recorded.replaceAll("\r\n", "\n")).toContain(answer.body.toString().trimEnd());
    expect(answer.body.toString()).toContain('"model":""');
  });
});

describe("the control endpoints", () => {
  test("set, list and clear faults, and name what is wrong with one", async () => {
    const simulator = await start({ kind: "vllm" });
    const put = (body: unknown): Promise<RawAnswer> =>
      rawRequest(simulator.port, { method: "PUT", path: "/_sim/fault", body });
    expect(
      (
        await put([
          { kind: "status", status: 500, times: 1 },
          { kind: "silence", endpoints: ["embeddings"] },
        ])
      ).status,
    ).toBe(200);
    expect((await rawRequest(simulator.port, { path: "/health" })).status).toBe(200);
    expect((await rawRequest(simulator.port, { body: chatBody() })).status).toBe(500);
    expect((await rawRequest(simulator.port, { body: chatBody() })).status).toBe(200);
    expect(simulator.stats()).toMatchObject({ faulted: 1, faults: [{ kind: "silence" }] });
    const wrong = await put({ kind: "status", statuss: 500 });
    expect([wrong.status, wrong.body.toString()]).toEqual([400, expect.stringContaining("statuss")]);
    expect((await put({ kind: "nonsense" })).status).toBe(400);
    await rawRequest(simulator.port, { method: "DELETE", path: "/_sim/fault" });
    expect(simulator.stats().faults).toEqual([]);
    const log = json<{ body: string; fault?: string }[]>(await rawRequest(simulator.port, { path: "/_sim/log" }));
    expect(log.find((entry) => entry.fault === "status")?.body).toBe(JSON.stringify(chatBody()));
  });

  test("a fault with a probability strikes its share of requests, the same in each run", async () => {
    const simulator = await start({ kind: "vllm", seed: 3 });
    simulator.fault({ kind: "status", probability: 0.3 });
    let failed = 0;
    for (let index = 0; index < 100; index += 1)
      if ((await rawRequest(simulator.port, { body: chatBody() })).status === 500) failed += 1;
    expect(failed).toBeGreaterThan(15);
    expect(failed).toBeLessThan(45);
  });

  test("probes are spared unless a fault names them", async () => {
    const simulator = await start({ kind: "vllm" });
    simulator.fault({ kind: "status", probes: true });
    expect((await rawRequest(simulator.port, { path: "/health" })).status).toBe(500);
  });

  test("kill resets what is open and revive answers on the same port", async () => {
    const simulator = await start({ kind: "vllm", tokensPerSecond: 1 });
    const open = rawRequest(simulator.port, { body: chatBody({ stream: true }) });
    await expect.poll(() => simulator.stats().running).toBe(1);
    await simulator.kill();
    expect((await open).end).toBe("reset");
    await expect.poll(() => simulator.stats().running).toBe(0);
    expect((await rawRequest(simulator.port, { path: "/health" })).end).toBe("reset");
    await simulator.revive();
    expect((await rawRequest(simulator.port, { path: "/health" })).status).toBe(200);
  });
});
