import fc from "fast-check";
import { expect, test } from "vitest";
import { matches, namesModel } from "./conditions.ts";
import { findDeadRules } from "./dead-rules.ts";
import type { Features } from "./features.ts";
import { type Condition, comparisons, complexities } from "./policy.ts";

const dead = (conditions: readonly Condition[], teams?: string[]) =>
  findDeadRules(
    conditions.map((when, index) => ({ when, use: "large", label: `routing.${index}` })),
    { teams },
  ).map(({ index, why }) => `${index}: ${why}`);

const simple: Condition = { complexity: { op: "==", value: "simple" } };
const short = (value: number): Condition => ({ tokens: { op: "<", value } });
const contradicts = "0: its condition contradicts itself";

test("a sound list has no dead rules", () => {
  const rules: Condition[] = [
    { team: ["payments"] },
    { has_tools: true, complexity: { op: ">=", value: "moderate" } },
    { ...simple, ...short(2000) },
    {},
  ];
  expect(dead(rules, ["payments", "search"])).toEqual([]);
});

test("everything after a rule without a condition is dead, but not rules for other names", () => {
  expect(dead([{}, simple, { model: ["gpt-*"] }])).toEqual([
    "1: routing.0 before it has no condition and takes every request",
  ]);
});

test.each<[string, Condition]>([
  ["fewer than no tokens", short(0)],
  ["tokens outside their own exclusion", { ...short(2000), not: short(4000) }],
  ["tools and no tools", { has_tools: true, not: { has_tools: true } }],
  ["easier than the easiest", { complexity: { op: "<", value: "simple" } }],
  ["a team that is excluded", { team: ["payments"], not: { team: ["pay*"] } }],
  ["a header with an excluded value", { header: { "x-tier": ["gold"] }, not: { header: { "x-tier": ["*"] } } }],
  ["any of impossible ones", { any: [short(0), { tokens: { op: "==", value: 1.5 } }] }],
  ["any against the rest of the rule", { has_tools: false, any: [{ has_tools: true }, short(0)] }],
  ["not anything", { not: {} }],
  ["no auto in a rule that is for auto only", { not: { model: ["auto"] } }],
])("%s contradicts itself", (_, condition) => {
  expect(dead([condition])).toEqual([contradicts]);
});

test("a team that does not exist", () => {
  expect(dead([{ team: ["paymnts"] }], ["payments"])).toEqual(["0: its condition matches no team that exists"]);
  expect(dead([{ team: ["pay*"] }], ["payments"])).toEqual([]);
  expect(dead([{ team: ["paymnts"] }])).toEqual([]);
});

test.each<[string, Condition, Condition]>([
  ["a narrower range", short(4000), { ...short(2000), ...simple }],
  ["one of several teams", { team: ["payments", "search"] }, { team: ["search"] }],
  ["a wildcard", { team: ["pay*"] }, { team: ["payroll-*", "payments"] }],
  ["a part of any", { any: [{ has_tools: true }, { has_images: true }] }, { has_images: true }],
  ["the same header", { header: { a: ["1", "2"] } }, { header: { a: ["2"], b: ["3"] } }],
  ["what is not excluded", { not: { has_tools: true } }, { has_tools: false, ...simple }],
])("a rule behind a wider one is dead: %s", (_, wide, narrow) => {
  expect(dead([wide, narrow])).toEqual(["1: routing.0 before it takes everything that it matches"]);
  expect(dead([narrow, wide])).toEqual([]);
});

test("several rules that cover a last one together leave it alone", () => {
  const each = complexities.map((value): Condition => ({ complexity: { op: "==", value } }));
  expect(dead([...each, {}])).toEqual([]);
});

test("a condition too intricate to analyse is taken as alive", () => {
  const wide: Condition = { any: Array.from({ length: 40 }, (_, value) => ({ tokens: { op: "==", value } })) };
  expect(dead([{ ...wide, not: wide }, wide])).not.toContain(contradicts.replace("0", "1"));
});

test("no rule that is called dead ever matches first", () => {
  const leaf = fc.record(
    {
      team: fc.uniqueArray(fc.constantFrom("a", "b", "a*", "*"), { minLength: 1, maxLength: 2 }),
      model: fc.constantFrom(["auto"], ["gpt-*"], ["*-4"]),
      tokens: fc.record({ op: fc.constantFrom(...comparisons), value: fc.nat(3) }),
      complexity: fc.record({ op: fc.constantFrom(...comparisons), value: fc.constantFrom(...complexities) }),
      has_tools: fc.boolean(),
      header: fc.constantFrom({ x: ["1"] }, { x: ["1*"] }, { x: ["*"] }),
    },
    { requiredKeys: [] },
  );
  const condition = fc.record(
    { any: fc.array(leaf, { minLength: 1, maxLength: 2 }), not: leaf, has_images: fc.boolean() },
    { requiredKeys: [] },
  );
  const rule: fc.Arbitrary<Condition> = fc.tuple(leaf, condition).map(([own, more]) => ({ ...own, ...more }));
  const requests = ["a", "b"].flatMap((team) =>
    ["auto", "gpt-4"].flatMap((model) =>
      [0, 1, 2, 3, 4].flatMap((tokens) =>
        complexities.flatMap((complexity) =>
          [true, false].flatMap((flag) =>
            [undefined, "1", "12", "2"].map(
              (header) =>
                ({
                  team,
                  model,
                  tokens,
                  hasTools: flag,
                  hasImages: !flag,
                  jsonSchema: false,
                  header: () => header,
                  complexity: () => ({ complexity, score: 0, reasons: [] }),
                }) as unknown as Features,
            ),
          ),
        ),
      ),
    ),
  );
  fc.assert(
    fc.property(fc.array(rule, { minLength: 1, maxLength: 4 }), (rules) => {
      const found = findDeadRules(
        rules.map((when, index) => ({ when, use: "m", label: `routing.${index}` })),
        { teams: ["a", "b"] },
      );
      for (const request of requests) {
        const asked = (when: Condition) => request.model === "auto" || namesModel(when);
        const first = rules.findIndex((when) => asked(when) && matches(when, request));
        expect(found.map(({ index }) => index)).not.toContain(first);
      }
    }),
    { numRuns: 150 },
  );
});
