import { expect, test } from "vitest";
import { startTestGateway } from "./test-gateway.ts";

test("a request goes through a gateway on free ports to a simulated engine and back, and leaves a log line", async () => {
  const gateway = await startTestGateway({
    engines: { m2: { kind: "sglang", models: ["m2"] } },
    yaml: ({ m2 }) => `
backends: { m2: { kind: sglang, url: "${m2}" } }
models: { m2: { on: [{ backend: m2, model: m2 }] } }
`,
  });
  try {
    const response = await gateway.post("/v1/chat/completions", {
      model: "m2",
      messages: [{ role: "user", content: "hi" }],
    });
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ object: "chat.completion", choices: [{ finish_reason: "stop" }] });
    expect(gateway.engines.m2.log.filter(({ path }) => path === "/v1/chat/completions")).toHaveLength(1);
    expect(gateway.requestLines()).toMatchObject([{ status: 200, backend: "m2", model: "m2" }]);
  } finally {
    await gateway.close();
  }
});

test("a policy file with errors is told with its errors", async () => {
  const starting = startTestGateway({ yaml: () => "backends: { a: { kind: sglang } }\nmodels: {}\n" });
  await expect(starting).rejects.toThrow(/url/);
});
