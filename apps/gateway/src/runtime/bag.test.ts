import fc from "fast-check";
import { expect, test } from "vitest";
import { Bag } from "./bag.ts";

test("holds what a Set would hold, under any adding and taking out", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), fc.nat(8)), { maxLength: 60 }), (steps) => {
      const things = Array.from({ length: 9 }, () => ({ place: -1 }));
      const bag = new Bag<{ place: number }>();
      const set = new Set<object>();
      for (const [adding, which] of steps) {
        const thing = things[which]!;
        if (adding) {
          bag.add(thing);
          set.add(thing);
        } else {
          bag.delete(thing);
          set.delete(thing);
        }
        expect(new Set<object>(bag.items)).toEqual(set);
        expect(bag.size).toBe(set.size);
      }
    }),
  );
});
