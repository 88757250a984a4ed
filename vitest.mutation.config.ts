import { defineConfig } from "vitest/config";

/** The tests that mutants run against: those of the pure packages, without the ones that measure time. */
export default defineConfig({
  test: {
    testTimeout: 60_000,
    include: ["packages/{router,protocol}/src/**/*.test.ts"],
    testNamePattern: /^(?!.*(microsecond|millisecond|costs no more))/,
  },
});
