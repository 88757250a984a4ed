import { BaseSequencer, type TestSpecification } from "vitest/node";

/**
 * Files of twenty seconds and more, in the order in which they are begun, ahead of all others: one of them that came last would have a
 * worker to itself while the other has nothing left. Beside the scoreboard, which measures times, stand those that mostly wait.
 */
export const slowFirst = [
  "bench/scoreboard/measures.test.ts",
  "apps/gateway/src/faults/room.test.ts",
  "apps/gateway/src/faults/local-only.test.ts",
  "apps/gateway/src/end-to-end/serve.test.ts",
  "apps/gateway/src/faults/drain.test.ts",
  "apps/gateway/src/end-to-end/queue.test.ts",
  "tests/docs/contributing.test.ts",
  "apps/gateway/src/demo/demo.test.ts",
  "apps/gateway/src/signals/alert-tests.test.ts",
  "packages/adapter/src/fuzz/fuzz.test.ts",
];

/** Begins the slow files first, so that two workers end at about the same time on a machine that ran none of them before. */
export class SlowFirstSequencer extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const rank = ({ moduleId }: TestSpecification): number => {
      const place = slowFirst.findIndex((name) => moduleId.endsWith(`/${name}`));
      return place === -1 ? slowFirst.length : place;
    };
    return sorted.toSorted((a, b) => rank(a) - rank(b));
  }
}
