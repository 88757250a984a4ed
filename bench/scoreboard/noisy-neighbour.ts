import { SLOWER_PCT } from "../fairness/judge.ts";
import { quietTeams } from "../fairness/quiet-teams.ts";
import type { Measure } from "./measure.ts";

/** What nine teams notice of a tenth that keeps a saturated pool full, as `pnpm fairness` measures it. */
export const noisyNeighbour: Measure = {
  title: "by how much one team's flood makes the 99th percentile of nine others slower, in percent",
  target: `<= ${SLOWER_PCT}, none of their requests refused`,
  async run({ size, seed, say }) {
    const quiet = await quietTeams({ rounds: size === "full" ? 6 : 1, ms: size === "full" ? 12_000 : 3000, seed, say });
    const { slowerPct: value, requests, refused, floodServed } = quiet;
    const isWhole = requests > 0 && floodServed > 0 && refused === 0;
    // Of a hundred requests the 99th percentile is the slowest.
    return { value, ok: isWhole && (size === "short" || value <= SLOWER_PCT), details: { ...quiet } };
  },
};
