import { afterAll, beforeAll, expect, test } from "vitest";
import { startTestGateway, type TestGateway } from "./test-gateway.ts";

let gateway: TestGateway<"one">;

beforeAll(async () => {
  gateway = await startTestGateway({
    engines: { one: { kind: "vllm", models: ["m"] } },
    yaml: ({ one }) => `
server: { listen: 127.0.0.1:0, admin: 127.0.0.1:0, max_body: 256KiB }
backends: { one: { kind: vllm, url: "${one}" } }
models: { m: { on: [{ backend: one, model: m }] } }
`,
  });
});
afterAll(() => gateway.close());

test("a client that goes on sending what is too large still gets to read why", async () => {
  const body = "x".repeat(20 * 1024 * 1024);
  for (let i = 0; i < 5; i++) {
    const response = await fetch(`${gateway.url}/v1/chat/completions`, { method: "POST", body });
    expect(response.status).toBe(413);
    expect(await response.text()).toContain("request_too_large");
  }
});
