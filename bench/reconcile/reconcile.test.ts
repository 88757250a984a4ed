import { expect, test } from "vitest";
import { reconcile } from "./reconcile.ts";

test("200 mixed requests are in the metrics as clients and engines counted them", { timeout: 60_000 }, async () => {
  const { rows, mismatches } = await reconcile({ requests: 200, seed: 1 });
  expect(mismatches).toEqual([]);
  for (const name of ["requests_total", "tokens_total", "attempts_total", "retries_total", "tool_calls_total"])
    expect(rows.find((row) => row.name === `signalbox_${name}`)?.counted ?? 0).toBeGreaterThan(0);
});
