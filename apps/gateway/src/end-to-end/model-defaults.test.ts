import { afterAll, beforeAll, expect, test } from "vitest";
import { startTestGateway, type TestGateway } from "./test-gateway.ts";

type Engine = "m2" | "gpu" | "llama" | "edge" | "away";

let gateway: TestGateway<Engine>;

beforeAll(async () => {
  gateway = await startTestGateway<Engine>({
    engines: {
      m2: { kind: "sglang", models: ["m"] },
      gpu: { kind: "vllm", models: ["m"] },
      llama: { kind: "llama_cpp", models: ["m"] },
      edge: { kind: "ollama", models: ["m"] },
      away: { kind: "openai", models: ["m"] },
    },
    yaml: (urls) => `
backends:
  m2: { kind: sglang, url: "${urls.m2}" }
  gpu: { kind: vllm, url: "${urls.gpu}" }
  llama: { kind: llama_cpp, url: "${urls.llama}" }
  edge: { kind: ollama, url: "${urls.edge}" }
  away: { kind: openai, url: "${urls.away}" }
models:
  m2: { on: [{ backend: m2, model: m }], defaults: { temperature: 1, top_p: 0.95, top_k: 40 } }
  all:
    on: [{ backend: gpu, model: m }, { backend: llama, model: m }, { backend: edge, model: m }, { backend: away, model: m }]
    strategy: ordered
    defaults: { top_p: 0.8, top_k: 20, min_p: 0.05, repetition_penalty: 1.1, max_tokens: 64 }
  plain: { on: [{ backend: m2, model: m }] }
defaults: { attempts: 4 }
`,
  });
});
afterAll(() => gateway.close());

/** A body whose number and spaces would not survive being parsed and written anew. */
const body = (model: string, rest = "") =>
  `{"model":"${model}","messages": [{"role":"user","content":"hi"}],"seed":9007199254740993${rest}}`;

/** What an engine was asked with when a client sent this; the reply is read to its end. */
async function sent(engine: Engine, text: string): Promise<string | undefined> {
  const response = await gateway.post("/v1/chat/completions", text);
  await response.text();
  expect(response.status).toBe(200);
  return gateway.engines[engine].log.findLast(({ path }) => path.endsWith("/chat/completions"))?.body?.toString();
}

test("what the client leaves out is set, and nothing else of its body changes", async () => {
  expect(await sent("m2", body("m2"))).toBe(body("m", ',"temperature":1,"top_p":0.95,"top_k":40'));
  expect(await sent("m2", body("m2", ',"stream":true'))).toBe(
    body("m", ',"stream":true,"stream_options":{"include_usage":true},"temperature":1,"top_p":0.95,"top_k":40'),
  );
});

test("the client's own values override, a null among them", async () => {
  const own = ',"temperature":0.0,"top_k":null';
  expect(await sent("m2", body("m2", own))).toBe(body("m", `${own},"top_p":0.95`));
  expect(await sent("m2", body("m2", `${own},"stream":true,"stream_options":{"include_usage":true}`))).toBe(
    body("m", `${own},"stream":true,"stream_options":{"include_usage":true},"top_p":0.95`),
  );
});

test("a model without defaults gets what the client sent", async () => {
  expect(await sent("m2", body("plain"))).toBe(body("m"));
});

test("each engine gets what it knows, by the name that it knows it by", async () => {
  const defaults = async (engine: Engine): Promise<string | undefined> => {
    const text = await sent(engine, body("all"));
    return text?.slice(text.indexOf("740993") + "740993".length);
  };
  const skip = (engine: Engine) => gateway.engines[engine].fault({ kind: "not_json", times: 1 });
  expect(await defaults("gpu")).toBe(',"top_p":0.8,"top_k":20,"min_p":0.05,"max_tokens":64,"repetition_penalty":1.1}');
  skip("gpu");
  expect(await defaults("llama")).toBe(',"top_p":0.8,"top_k":20,"min_p":0.05,"max_tokens":64,"repeat_penalty":1.1}');
  skip("gpu");
  skip("llama");
  expect(await defaults("edge")).toBe(',"top_p":0.8,"max_tokens":64}');
  skip("gpu");
  skip("llama");
  skip("edge");
  expect(await defaults("away")).toBe(',"top_p":0.8,"max_tokens":64}');
});
