import { expect, test } from "vitest";
import { readUsage } from "./usage.ts";

test("tokens are read with the parts of them that the engine tells", () => {
  const usage = {
    prompt_tokens: 100,
    completion_tokens: 20,
    total_tokens: 120,
    prompt_tokens_details: { cached_tokens: 64 },
    completion_tokens_details: { reasoning_tokens: 12 },
  };
  expect(readUsage(usage)).toEqual({
    promptTokens: 100,
    completionTokens: 20,
    cachedTokens: 64,
    reasoningTokens: 12,
  });
});

test("SGLang's reasoning tokens stand at the top, and null is no details", () => {
  const usage = { prompt_tokens: 5, completion_tokens: 2, reasoning_tokens: 1, prompt_tokens_details: null };
  expect(readUsage(usage)).toEqual({ promptTokens: 5, completionTokens: 2, reasoningTokens: 1 });
});

test("an embedding has no reply tokens", () => {
  expect(readUsage({ prompt_tokens: 5, total_tokens: 5 })).toEqual({ promptTokens: 5, completionTokens: 0 });
});

test.each([undefined, null, "5", {}, { prompt_tokens: "5" }, { prompt_tokens: -1 }])("%j is no usage", (value) => {
  expect(readUsage(value)).toBeUndefined();
});
