import { once } from "node:events";
import { request as httpRequest } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startTestGateway, type TestGateway } from "./test-gateway.ts";

let gateway: TestGateway<"one">;

beforeAll(async () => {
  gateway = await startTestGateway({
    engines: { one: { kind: "vllm", models: ["m"] } },
    yaml: ({ one }) => `
backends: { one: { kind: vllm, url: "${one}" } }
models: { m: { on: [{ backend: one, model: m }] } }
`,
  });
});
afterAll(() => gateway.close());

const chat = "/v1/chat/completions";

interface ErrorAnswer {
  readonly error: { readonly message: string; readonly code: string };
}

describe("addresses and methods", () => {
  const methods: [string, string, number, string | null][] = [
    ["GET", chat, 405, "POST"],
    ["DELETE", chat, 405, "POST"],
    ["HEAD", chat, 405, "POST"],
    ["OPTIONS", chat, 405, "POST"],
    ["PUT", "/v1/embeddings", 405, "POST"],
    ["POST", "/v1/models", 405, "GET"],
    ["DELETE", "/v1/models/m", 405, "GET"],
    ["POST", "/livez", 405, "GET"],
    ["GET", "/", 404, null],
    ["GET", "/v1", 404, null],
    ["POST", "/chat/completions", 404, null],
    ["POST", "/v1/chat/completions/", 404, null],
    ["POST", "/v1//chat/completions", 404, null],
    ["POST", "/V1/chat/completions", 404, null],
    ["POST", "/v1/audio/speech", 404, null],
    ["GET", "/v1/models/nothing", 404, null],
    ["GET", "/v1/models/%zz", 404, null],
    ["GET", "/v1/models/..%2f..%2fetc", 404, null],
    ["GET", "/metrics", 404, null],
    ["GET", "/status", 404, null],
    ["GET", "/readyz", 404, null],
    ["OPTIONS", "/v1/none", 404, null],
  ];
  test.each(methods)("%s %s → %i", async (method, path, status, allow) => {
    const response = await fetch(`${gateway.url}${path}`, { method });
    expect(response.status).toBe(status);
    expect(response.headers.get("allow")?.split(", ")[0] ?? null).toBe(allow);
    expect(response.headers.get("content-type")).toContain("application/json");
    if (method === "HEAD") return;
    const { error } = (await response.json()) as ErrorAnswer;
    expect(error.code).toMatch(status === 405 ? /method_not_allowed/ : /route_not_found|model_not_found/);
    expect(error.message).not.toContain("node_modules");
  });

  test("HEAD of what GET answers has its head alone", async () => {
    for (const path of ["/livez", "/v1/models"]) {
      const response = await fetch(`${gateway.url}${path}`, { method: "HEAD" });
      expect(response.status).toBe(200);
      expect(await response.text()).toBe("");
    }
  });

  test("TRACE is no way to see one's headers again", async () => {
    const sent = httpRequest({ port: new URL(gateway.url).port, method: "TRACE", path: "/livez" }).end();
    const [response] = await once(sent, "response");
    response.resume();
    expect(response.statusCode).toBe(405);
  });
});
