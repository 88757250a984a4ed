import { expect, test } from "vitest";
import { readImage } from "./image.ts";
import { restrictedRun } from "./restricted-run.ts";
import { runInSandbox, whyNoSandbox } from "./sandbox.ts";

const missing = whyNoSandbox();

test.skipIf(missing !== undefined)(
  `the image's start command serves 1,000 requests as a user without rights, on a read-only root, in 256 MB${missing === undefined ? "" : `: ${missing}`}`,
  { timeout: 90_000 },
  async () => {
    const findings = await restrictedRun(runInSandbox, 1000);
    expect(findings.filter(({ ok }) => !ok)).toEqual([]);
    expect(findings.length).toBeGreaterThan(5);
  },
);

test("what is run is what the Dockerfile says", () => {
  const image = readImage();
  expect(image.start.slice(0, 3)).toEqual(["node", "/app/apps/gateway/src/main.ts", "serve"]);
  expect(image.health.slice(0, 3)).toEqual(["node", "/app/apps/gateway/src/main.ts", "health"]);
  expect(image.user).toBeGreaterThan(1000);
  expect(image.env.NODE_OPTIONS).toContain("--max-old-space-size-percentage=");
  expect(() => readImage("FROM a\nCMD []\nFROM b\n")).toThrow("deploy/Dockerfile: its last stage has no USER");
});
