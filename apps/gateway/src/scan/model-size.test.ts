import { expect, test } from "vitest";
import { guessSize, isEmbeddingModel } from "./model-size.ts";

test.each([
  ["qwen2.5:0.5b", 0.5],
  ["gemma-3-270m-it", 0.27],
  ["Qwen/Qwen3-30B-A3B-Instruct", 30],
  ["mistralai/Mixtral-8x7B-v0.1", 56],
  ["gemma-3n-E2B", 2],
  ["MiniMaxAI/MiniMax-M2", 230],
  ["microsoft/Phi-3.5-mini-instruct", 3.8],
  ["phi-4", 14],
  ["llama-3-8b-instruct-4bit", 8],
  ["mystery", 10],
])("%s has some %d billion parameters", (name, billions) => {
  expect(guessSize(name).billions).toBeCloseTo(billions);
});

test("embedding models are known by their names", () => {
  expect(["nomic-embed-text", "BAAI/bge-m3", "all-minilm:latest"].map(isEmbeddingModel)).toEqual([true, true, true]);
  expect(["qwen2.5:0.5b", "MiniMaxAI/MiniMax-M2"].map(isEmbeddingModel)).toEqual([false, false]);
});
