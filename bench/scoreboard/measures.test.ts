import { expect, test } from "vitest";
import { measures } from "./measures.ts";

/** Each in little: that the number can still be measured, and is what it must be. */
test.skipIf(process.platform !== "linux").each(Object.entries(measures))(
  "%s keeps its target in a short run",
  async (_name, { run }) => {
    const figure = await run({ size: "short", seed: 7, say: () => {} });
    expect(figure).toMatchObject({ ok: true });
    expect(Number.isFinite(figure.value)).toBe(true);
  },
  60_000,
);
