import { mismatch, type Outcome } from "@signalbox/adapter/vectors";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { dialectReplies, questionFor, startDialectGateway, tools } from "./dialect-replies.ts";
import { missingPython, runPython } from "./python-client.ts";
import type { TestGateway } from "./test-gateway.ts";

type Read = Outcome | { readonly complaint: string };

const reason = missingPython();
describe.skipIf(reason !== undefined)(
  `the official Python client${reason === undefined ? "" : ` (skipped: ${reason})`} reads`,
  () => {
    let gateway: TestGateway<"raw"> | undefined;
    let results: Record<string, { helper: Read; chunks: Read }>;
    beforeAll(async () => {
      gateway = await startDialectGateway(dialectReplies, "vllm");
      const replies = dialectReplies.map((reply) => ({
        name: reply.name,
        model: reply.model,
        question: questionFor(reply),
      }));
      results = (await runPython("./dialects_client.py", {
        SIGNALBOX_BASE_URL: gateway.baseUrl,
        SIGNALBOX_TOOLS: JSON.stringify(tools),
        SIGNALBOX_REPLIES: JSON.stringify(replies),
      })) as typeof results;
    }, 180_000);
    afterAll(() => gateway?.close());

    test.each(dialectReplies.map((reply) => [reply.name, reply] as const))("%s", (name, reply) => {
      for (const read of Object.values(results[name]!)) {
        if ("complaint" in read) throw new Error(read.complaint);
        expect(mismatch(reply.expect, read)).toBeUndefined();
      }
    });
  },
);
