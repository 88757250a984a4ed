import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

// Tests against real engines: `pnpm engines NAME test`. They take minutes and need an engine, so `npm test` leaves them out.
export default defineConfig({
  root: fileURLToPath(new URL("../..", import.meta.url)),
  test: {
    include: ["apps/*/src/**/*.real.test.ts"],
    reporters: ["verbose"],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    maxWorkers: 1,
  },
});
