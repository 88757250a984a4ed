import { expect, test } from "vitest";
import { measures } from "./measures.ts";

/** Each in little: that the number can still be measured, and is what it must be. */
test.skipIf(process.platform !== "linux").each(Object.entries(measures))(
  "%s keeps its target in a short run",
  async (_name, { run }) => {
    const { ok, value, details } = await run({ size: "short", seed: 7, say: () => {} });
    expect(ok, JSON.stringify({ value, details }, null, 1).slice(0, 4000)).toBe(true);
    expect(Number.isFinite(value)).toBe(true);
  },
  60_000,
);
