import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: [
      "apps/*/src/**/*.test.ts",
      "packages/*/src/**/*.test.ts",
      "bench/**/*.test.ts",
      "scripts/**/*.test.ts",
      "tests/**/*.test.ts",
    ],
    exclude: ["**/node_modules/**", "**/*.real.test.ts"],
    reporters: ["default", "./scripts/closing-line-reporter.ts"],
    testTimeout: 20_000,
    hookTimeout: 120_000,
    // Two cores: more workers than that would measure each other's waiting.
    maxWorkers: 2,
  },
});
