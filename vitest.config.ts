import { defineConfig } from "vitest/config";
import { SlowFirstSequencer } from "./scripts/slow-first-sequencer.ts";

const faults = "bench/faults/faults.test.ts";

export default defineConfig({
  test: {
    reporters: ["default", "./scripts/closing-line-reporter.ts"],
    sequence: { sequencer: SlowFirstSequencer },
    projects: [
      {
        test: {
          name: "tests",
          include: [
            "apps/*/src/**/*.test.ts",
            "packages/*/src/**/*.test.ts",
            "bench/**/*.test.ts",
            "deploy/**/*.test.ts",
            "scripts/**/*.test.ts",
            "tests/**/*.test.ts",
          ],
          exclude: ["**/node_modules/**", "**/*.real.test.ts", faults],
          testTimeout: 20_000,
          hookTimeout: 120_000,
          // Two cores: more workers than that would measure each other's waiting.
          maxWorkers: 2,
        },
      },
      {
        test: {
          name: "faults",
          include: [faults],
          // Behind all others, with the machine to itself: it measures times.
          sequence: { groupOrder: 1 },
          // All rows are begun at once; how many are played side by side is the scheduler's choice, and most of a test is waiting for its turn.
          maxConcurrency: 1000,
          testTimeout: 600_000,
        },
      },
    ],
  },
});
