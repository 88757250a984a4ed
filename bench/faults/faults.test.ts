import { describe, expect, test } from "vitest";
import { fast } from "./profile.ts";
import { createScheduler } from "./run.ts";
import { scenarios } from "./table.ts";

const scheduler = createScheduler({ profile: fast, seed: 1 });

describe.concurrent("a gateway process under faults, played fast:", () => {
  test.for(scenarios)("$id $title", async (scenario, { skip }) => {
    if (scenario.skipped !== undefined) skip(scenario.skipped);
    const { failures } = await scheduler.play(scenario);
    expect(failures).toEqual([]);
  });
});
