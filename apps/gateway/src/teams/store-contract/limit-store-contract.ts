import { describe } from "vitest";
import type { SetUp } from "./claims.ts";
import { interleavings } from "./interleavings.ts";
import { periods } from "./periods.ts";
import { slots } from "./slots.ts";
import { windows } from "./windows.ts";

/** What every store keeps to. */
export function limitStoreContract(name: string, setUp: SetUp): void {
  describe(`${name}: windows`, () => windows(setUp));
  describe(`${name}: slots`, () => slots(setUp));
  describe(`${name}: budgets`, () => periods(setUp));
  describe(`${name}: all together`, () => interleavings(setUp));
}
