import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { signalbox } from "../contenders.ts";
import { startHarness } from "../harness.ts";
import { idleStreamKb } from "../idle-streams.ts";
import type { Measure } from "./measure.ts";

const limitKb = 64;

/** What an open stream that waits for its next token costs, as `pnpm bench:stream` measures it, with more of them. */
export const idleStreamCost: Measure = {
  title: "KiB of resident memory for an idle stream, 8,000 of them in one process",
  target: "<= 64",
  async run({ size }) {
    const streams = size === "full" ? 8000 : 300;
    const folder = mkdtempSync(join(tmpdir(), "signalbox-idle-"));
    const harness = await startHarness(folder);
    try {
      const value = await idleStreamKb(harness, signalbox({ store: "memory" }), streams);
      // Among few streams the heap's own steps weigh more than the streams.
      return { value, ok: size === "short" || value <= limitKb, details: { streams } };
    } finally {
      await harness.stop();
      rmSync(folder, { recursive: true, force: true });
    }
  },
};
