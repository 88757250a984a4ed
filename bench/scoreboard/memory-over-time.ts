import { soak } from "../soak/soak.ts";
import type { Measure } from "./measure.ts";

/** What the process holds on to over many requests. */
export const memoryOverTime: Measure = {
  title: "RSS growth from 100,000 to 1,000,000 requests, half streams, 5 % faults",
  target: "<= 15 MB, heap +-5 MB, no handle more",
  async run({ size, seed, say }) {
    const result = await soak({ requests: size === "full" ? 1_000_000 : 500, seed, say });
    const { ok, rssGrowthMb, handlesLeft, wrongCount } = result;
    // What a process grows by while it warms up is no leak.
    const kept = size === "full" ? ok : wrongCount === 0 && Object.keys(handlesLeft).length === 0;
    return { value: rssGrowthMb, ok: kept, details: { ...result } };
  },
};
