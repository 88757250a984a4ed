import { mismatch } from "@signalbox/adapter/vectors";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { dialectReplies, questionFor, startDialectGateway, tools } from "./dialect-replies.ts";
import { readWithHelper } from "./read-with-helper.ts";
import type { TestGateway } from "./test-gateway.ts";

describe.each(["vllm", "sglang"] as const)("over %s in raw mode, the JavaScript client reads", (kind) => {
  let gateway: TestGateway<"raw">;
  let client: OpenAI;
  beforeAll(async () => {
    gateway = await startDialectGateway(dialectReplies, kind);
    client = new OpenAI({ apiKey: "EMPTY", baseURL: gateway.baseUrl, maxRetries: 0 });
  });
  afterAll(() => gateway.close());

  test.each(dialectReplies.map((reply) => [reply.name, reply] as const))("%s", async (_name, reply) => {
    const outcome = await readWithHelper(client, { model: reply.model, question: questionFor(reply), tools });
    expect(mismatch(reply.expect, outcome)).toBeUndefined();
    expect(new Set(outcome.calls.map(({ id }) => id)).size).toBe(outcome.calls.length);
  });
});
