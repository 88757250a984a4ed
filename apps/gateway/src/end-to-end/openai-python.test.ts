import type { FaultInput } from "@signalbox/simulator";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hashKey } from "../teams/keys.ts";
import { missingPython, runPython } from "./python-client.ts";
import { startTestGateway, type TestGateway } from "./test-gateway.ts";

const M2 = "MiniMaxAI/MiniMax-M2";
const tools = [
  {
    type: "function",
    function: {
      name: "look_up",
      description: "Finds «words»",
      parameters: { type: "object", properties: { word: { type: "string" } } },
    },
  },
];
const faulty: Record<string, FaultInput> = {
  refuses: { kind: "status", status: 400, message: "temperature must be non-negative" },
  fails: { kind: "status", status: 500 },
  busy: { kind: "status", status: 503, retry_after: 7 },
  silent: { kind: "silence" },
  cuts: { kind: "cut" },
};
const faultyNames = Object.keys(faulty);

interface Raised {
  readonly raised: string;
  readonly server_error: boolean;
  readonly status: number | null;
  readonly code: string | null;
  readonly param: string | null;
  readonly message: string;
  readonly retry_after: string | null;
}

const reason = missingPython();
describe.skipIf(reason !== undefined)(
  `the official Python client${reason === undefined ? "" : ` (skipped: ${reason})`}`,
  () => {
    let open: TestGateway<string> | undefined;
    let keyed: TestGateway<"small"> | undefined;
    let results: Record<string, Record<string, unknown> & Raised>;

    beforeAll(async () => {
      open = await startOpen();
      keyed = await startTestGateway({
        engines: { small: { kind: "vllm", models: ["qwen-small"] } },
        yaml: ({ small }) => `
backends: { small: { kind: vllm, url: "${small}" } }
models:
  large: { on: [{ backend: small, model: qwen-small }] }
  org/team/small-model: { on: [{ backend: small, model: qwen-small }] }
teams: { few: { keys: ["${hashKey("key-few")}"], models: [org/team/small-model], limits: { requests: 1/min } } }
`,
      });
      results = (await runPython("./openai_client.py", {
        SIGNALBOX_BASE_URL: open.baseUrl,
        SIGNALBOX_KEYED_URL: keyed.baseUrl,
        SIGNALBOX_TOOLS: JSON.stringify(tools),
      })) as typeof results;
    }, 180_000);
    afterAll(async () => {
      await open?.close();
      await keyed?.close();
    });

    test("asks a bare engine's model with the key EMPTY, and gets its whole answer", () => {
      expect(results.chat).toMatchObject({
        text: "one two thrée 🚂",
        finish: "stop",
        model: M2,
        total: expect.any(Number),
      });
    });

    test("reads streams to their end, with usage only if asked", () => {
      expect(results.stream).toEqual({ text: "one two thrée 🚂", finishes: ["stop"], usages: 0 });
      expect(results.stream_helper).toEqual({ pieces: "one two thrée 🚂", text: "one two thrée 🚂" });
      expect(results.stream_usage).toEqual({ usages: 1, choices: 0, tokens: expect.any(Number) });
      expect(results.several_choices).toEqual({ indexes: [0, 1, 2], finished: [0, 1, 2] });
    });

    test("sends tools that the engine gets as they are, and gets its calls", () => {
      const calls = [{ name: "look_up", arguments: { word: "signal box" }, has_id: true }];
      expect(results.tool_call).toEqual({ finish: "tool_calls", calls });
      expect(results.tool_call_streamed).toEqual({ finish: "tool_calls", calls });
      const sent = open?.engines.m2?.log.find(({ body }) => body?.includes('"tools"'));
      expect(JSON.parse(sent?.body?.toString() ?? "{}").tools).toEqual(tools);
    });

    test("gets completions, embeddings and models", () => {
      expect(results.completions).toEqual({ same: true, length: expect.any(Number), finish: "stop" });
      expect(results.embeddings).toEqual({ count: 2, floats: true });
      const ids = ["auto", M2, ...faultyNames, "gone", "large", "org/team/small-model", "slow"];
      expect(results.models?.ids).toEqual(["auto", ...ids.slice(1).sort()]);
      expect(results.models?.retrieved).toEqual(results.models?.ids);
    });

    test("sees where its request went", () => {
      expect(results.headers).toMatchObject({
        "x-request-id": "from-python",
        "x-signalbox-backend": "small",
        "x-signalbox-model": "org/team/small-model",
        "x-signalbox-attempts": "1",
        "x-signalbox-route": expect.stringContaining("simple"),
      });
    });

    const raised: [string, Partial<Raised>][] = [
      ["wrong_type", { raised: "BadRequestError", status: 400, code: "invalid_request", param: "temperature" }],
      ["wrong_key", { raised: "AuthenticationError", status: 401, code: "invalid_api_key" }],
      ["model_not_allowed", { raised: "PermissionDeniedError", status: 403, code: "model_not_allowed" }],
      [
        "rate_limited",
        {
          raised: "RateLimitError",
          status: 429,
          code: "rate_limit_exceeded",
          retry_after: expect.stringMatching(/^[1-9]\d*$/),
        },
      ],
      [
        "unknown_model",
        { raised: "NotFoundError", status: 404, code: "model_not_found", message: expect.stringContaining("large") },
      ],
      ["unknown_address", { raised: "NotFoundError", status: 404, code: "route_not_found" }],
      ["too_large", { status: 413, code: "request_too_large" }],
      [
        "engine_refuses",
        {
          raised: "BadRequestError",
          status: 400,
          message: expect.stringContaining("temperature must be non-negative"),
        },
      ],
      ["engine_fails", { server_error: true, status: 502, code: "upstream_failed" }],
      [
        "engine_busy",
        {
          server_error: true,
          status: 503,
          code: "backends_overloaded",
          retry_after: expect.stringMatching(/^[1-9]\d*$/),
        },
      ],
      ["engine_silent", { server_error: true, status: 504, code: "upstream_timeout" }],
      ["engine_gone", { server_error: true, status: 503, code: "backends_unavailable" }],
      ["stream_cut", { raised: "APIError", code: "stream_interrupted" }],
      ["nothing_listens", { raised: "APIConnectionError" }],
    ];
    test.each(raised)("raises the right class: %s", (name, error) => {
      expect(results[name]).toMatchObject(error);
    });

    test("has the pieces that came before a stream broke", () => {
      expect(results.stream_cut_pieces).toBe(3);
    });

    test("closes the upstream within 100 ms of an abort", async () => {
      const asked = () => open?.engines.slow?.log.find(({ path: where }) => where === "/v1/chat/completions");
      await expect.poll(() => asked()?.abortedAt).toBeDefined();
      expect((asked()?.abortedAt ?? 0) - Number(results.abort?.closed_at_ms)).toBeLessThanOrEqual(100);
    });
  },
);

async function startOpen(): Promise<TestGateway<string>> {
  const failing = Object.fromEntries(faultyNames.map((name) => [name, { kind: "vllm" as const, models: ["m"] }]));
  const gateway = await startTestGateway<string>({
    engines: {
      m2: {
        kind: "sglang",
        models: [M2],
        script: [
          {
            when: { contains: "use the tool" },
            reply: { tool_calls: [{ name: "look_up", arguments: { word: "signal box" } }] },
          },
          { when: { contains: "count" }, reply: { deltas: ["one ", "two ", "thrée ", "🚂"] } },
        ],
      },
      small: { kind: "vllm", models: ["qwen-small"] },
      slow: { kind: "vllm", models: ["m"], tokensPerSecond: 40 },
      ...failing,
    },
    yaml: (urls) => `
server: { listen: 127.0.0.1:0, admin: 127.0.0.1:0, max_body: 64KiB }
backends:
  m2: { kind: sglang, url: "${urls.m2}" }
  gone: { kind: vllm, url: "http://127.0.0.1:1" }
${["small", "slow", ...faultyNames].map((name) => `  ${name}: { kind: vllm, url: "${urls[name]}" }`).join("\n")}
models:
  large: { on: [{ backend: m2, model: ${M2} }], aliases: [${M2}] }
  org/team/small-model: { on: [{ backend: small, model: qwen-small }], embeddings: true }
${["slow", "gone", ...faultyNames].map((name) => `  ${name}: { on: [{ backend: ${name}, model: m }] }`).join("\n")}
routing: [{ name: simple-questions, when: { complexity: simple }, use: org/team/small-model }, { use: large }]
defaults: { timeouts: { first_token: 300ms, idle: 300ms } }
`,
  });
  for (const [name, fault] of Object.entries(faulty)) gateway.engines[name]?.fault(fault);
  return gateway;
}
