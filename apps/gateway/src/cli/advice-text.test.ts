import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { adviseOn } from "../advice/advise.ts";
import type { BackendHistory, LoadHistory, Presence } from "../advice/load-history.ts";
import { adviceText } from "./advice-text.ts";

const page = readFileSync(fileURLToPath(new URL("../../../../docs/scaling.md", import.meta.url)), "utf8");
const NOW = 1000;

/** An hour in which every minute was the same. */
const minutes = <S>(one: (slice: number) => S): S[] => Array.from({ length: 61 }, (_, at) => one(NOW - 61 + at));

function backend(name: string, presence: Presence, inFlight: number, slots: number): BackendHistory {
  const busy = inFlight > 0 ? 1 : 0;
  return {
    name,
    presence,
    slots,
    slots_from: "max_concurrent",
    slices: minutes((slice) => ({
      slice,
      in_flight: inFlight,
      running: inFlight,
      waiting: 0,
      kv_use: inFlight / 120,
      busy,
      attempts: Math.round((inFlight * 60) / 16),
      output_tokens: Math.round((inFlight * 60) / 16) * 410,
    })),
  };
}

const history: LoadHistory = {
  scaling: { target: 0.7, waitMs: 2000, windowMs: 900_000 },
  slice_ms: 60_000,
  now: NOW,
  known: [61],
  backends: [
    backend("m2-a", "up", 61.2, 64),
    backend("m2-b", "up", 60.4, 64),
    backend("m2-c", "down", 0, 64),
    backend("coder-a", "up", 5.4, 16),
    backend("coder-b", "up", 5.2, 16),
    backend("coder-c", "up", 5.5, 16),
    backend("coder-d", "up", 5.1, 16),
  ],
  models: [
    {
      name: "large",
      on: ["m2-a", "m2-b", "m2-c"],
      slices: minutes((slice) => ({ slice, waiting: 9.6, requests: 462, turned_away: 6, limited: 2 })),
    },
    {
      name: "coder",
      on: ["coder-a", "coder-b", "coder-c", "coder-d"],
      slices: minutes((slice) => ({ slice, waiting: 0, requests: 80, turned_away: 0, limited: 0 })),
    },
  ],
};

test("docs/scaling.md shows what is printed for its example, which is no wider than a terminal", () => {
  const text = adviceText(adviseOn(history), history.scaling).trimEnd();
  expect(text.split("\n").filter((line) => line.length > 100)).toEqual([]);
  expect(page).toContain(`\`\`\`text\n${text}\n\`\`\`\n`);
});
