import path from "node:path";
import { readVectorFile, type Split, splits } from "@signalbox/adapter/vectors";
import { expect, test, vi } from "vitest";
import { playThroughGateway } from "./play-through-gateway.ts";

const house = readVectorFile(path.join(import.meta.dirname, "../../../../packages/adapter/vectors/house.json"));

/** Two of its cuts in two, one code unit at a time, and two random splits. */
function fewSplits(input: string): Split[] {
  const all = [...splits(input, 1)].filter(({ pieces }) => pieces.length > 1);
  return [...new Set([all[0], all[input.length >> 1], ...all.slice(-21, -18)])].filter((split) => split !== undefined);
}

test("the vectors come out as expected over real sockets, whole and streamed, from every kind of engine", async () => {
  const said: string[] = [];
  vi.spyOn(console, "log").mockImplementation((line: string) => void said.push(line));
  expect([await playThroughGateway(house, fewSplits), said]).toEqual([0, []]);
});

test("a vector that comes out wrong is printed, with its split and what came", async () => {
  const said: string[] = [];
  vi.spyOn(console, "log").mockImplementation((line: string) => void said.push(line));
  const [vector] = house.vectors;
  const wrong = { ...vector!, expect: { ...vector!.expect, content: "something else" } };
  expect(await playThroughGateway({ ...house, vectors: [wrong] }, () => [])).toBe(1);
  expect(said[0]).toBe(`${vector!.id} (${vector!.dialect}, whole, said by sglang)`);
  expect(said[2]).toContain("something else");
  expect(said[3]).toContain('"tool_calls":[{');
});
