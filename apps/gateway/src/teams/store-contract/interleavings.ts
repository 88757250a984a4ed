import fc from "fast-check";
import { expect, test } from "vitest";
import type { Reservation } from "../limits.ts";
import type { Quota } from "../quota.ts";
import { admitted, claim, quota, refused, type SetUp, type StoreUnderTest, took } from "./claims.ts";

type Op =
  | { readonly do: "reserve"; readonly list: number; readonly amount: number }
  | { readonly do: "settle"; readonly which: number; readonly amount: number }
  | { readonly do: "release"; readonly which: number }
  | { readonly do: "wait"; readonly ms: number };

const amount = fc.integer({ min: 0, max: 60 });
const op: fc.Arbitrary<Op> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant("reserve" as const), list: fc.nat(3), amount }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("settle" as const), which: fc.nat(9), amount }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("release" as const), which: fc.nat(9) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("wait" as const),
      ms: fc.oneof(fc.integer({ min: 0, max: 12_000 }), fc.integer({ min: 0, max: 200_000 })),
    }),
  },
);

const requests = quota("requests", 6, 10_000);
const tokens = quota("tokens", 200, 60_000);
const perKey = quota("output_tokens", 90, 10_000, "key k1");
const slots = quota("concurrent", 4, undefined, "model m");
const month = quota("tokens", 2000, { kind: "period", every: "day" }, "team b");
/** Teams and keys that share some of their quotas. */
const lists: readonly (readonly Quota[])[] = [
  [requests, tokens, slots],
  [requests, tokens, perKey, slots, month],
  [tokens, month],
  [perKey, slots],
];
const all = [requests, tokens, perKey, slots, month];

/** Any order of requests, ends and pauses, in one store or in two that share their counts. */
export function interleavings(setUp: SetUp): void {
  test("nothing is ever over a limit, refused without need, half taken or leaked", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(op, { maxLength: 60 }), async (ops) => {
        const under = await setUp();
        const model = new Model(under);
        for (const [index, one] of ops.entries()) await model.play(one, index);
        await model.end();
      }),
      { numRuns: 60 },
    );
  });

  test("of many at once exactly as many are admitted as fit", async () => {
    const under = await setUp();
    const stores = [under.store, under.other ?? under.store];
    const quotas = [quota("requests", 40), quota("tokens", 700), quota("concurrent", 100), month];
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, at) => stores[at % 2]!.reserve(claim(quotas, 20))),
    );
    expect(answers.filter(({ ok }) => ok)).toHaveLength(35);
    for (const answer of answers) if (answer.ok) answer.reservation.release();
    expect(await Promise.all(quotas.map(under.used))).toEqual([0, 0, 0, 0]);
  });

  test("no double burst: what came at a window's end counts at the next one's start", async () => {
    const { store, advance } = await setUp();
    const one = claim([quota("requests", 100)]);
    await advance(59_900);
    for (let i = 0; i < 100; i++) admitted(await store.reserve(one));
    for (let step = 0; step < 59; step++) {
      await advance(1000);
      refused(await store.reserve(one));
    }
    await advance(1600);
    for (let i = 0; i < 100; i++) admitted(await store.reserve(one));
    refused(await store.reserve(one));
  });
}

interface Counted {
  at: number;
  amount: number;
}

interface Open {
  readonly reservation: Reservation;
  readonly list: readonly Quota[];
  readonly amount: number;
  readonly counted: Map<Quota, Counted>;
}

/** Counts exactly, entry by entry, without slots. */
class Model {
  readonly #under: StoreUnderTest;
  readonly #entries = new Map<Quota, Counted[]>(all.map((one) => [one, []]));
  #open: Open[] = [];
  #spent = 0;
  #day = -1;

  constructor(under: StoreUnderTest) {
    this.#under = under;
  }

  async play(one: Op, index: number): Promise<void> {
    if (one.do === "wait") await this.#under.advance(one.ms);
    else if (one.do === "reserve") await this.#reserve(lists[one.list]!, one.amount, index);
    else if (this.#open.length > 0) await this.#end(one);
    this.#newDay();
    expect(await this.#under.used(slots)).toBe(this.#open.filter(({ list }) => list.includes(slots)).length);
    expect(await this.#under.used(month)).toBe(this.#spent + this.#held());
  }

  async #reserve(list: readonly Quota[], wanted: number, index: number): Promise<void> {
    const { store, other = store, now } = this.#under;
    const before = await this.#usedOf(list);
    const answer = await (index % 2 === 0 ? store : other).reserve(claim(list, wanted));
    this.#newDay();
    const amountOf = (one: Quota): number => (one === requests || one === slots ? 1 : wanted);
    if (!answer.ok) {
      expect(await this.#usedOf(list)).toEqual(before);
      // A slot may count for 1 % too long.
      const needed = list.some((one) => this.#counts(one, 1.0101) + amountOf(one) > one.limit);
      expect(needed, answer.message).toBe(true);
      return;
    }
    const counted = new Map<Quota, Counted>();
    for (const one of list) {
      expect(this.#counts(one, 1) + amountOf(one), one.id).toBeLessThanOrEqual(
        Math.max(one.limit, amountOf(one) === 0 ? Infinity : 0),
      );
      if (one.span.kind !== "window") continue;
      const entry = { at: now(), amount: amountOf(one) };
      counted.set(one, entry);
      this.#entries.get(one)!.push(entry);
    }
    this.#open.push({ reservation: answer.reservation, list, amount: wanted, counted });
  }

  async #end(one: Extract<Op, { which: number }>): Promise<void> {
    const [ended] = this.#open.splice(one.which % this.#open.length, 1) as [Open];
    const actual = one.do === "settle" ? one.amount : 0;
    if (one.do === "settle") ended.reservation.settle(took(actual));
    else ended.reservation.release();
    this.#newDay();
    if (ended.list.includes(month)) this.#spent += actual;
    for (const [limit, entry] of ended.counted) {
      const there = this.#slotsSince(limit, entry.at) <= 100;
      if (one.do === "release") entry.amount = 0;
      else if (limit !== requests && (there || actual < entry.amount)) entry.amount = actual;
      else if (limit !== requests)
        this.#entries.get(limit)!.push({ at: this.#under.now(), amount: actual - entry.amount });
    }
  }

  /** Everything ends and every window passes: nothing is left but what was spent of the budget. */
  async end(): Promise<void> {
    while (this.#open.length > 0) await this.#end({ do: "settle", which: 0, amount: 1 });
    expect(await this.#under.used(month)).toBe(this.#spent);
    await this.#under.advance(60_600);
    expect(await this.#usedOf([requests, tokens, perKey, slots])).toEqual([0, 0, 0, 0]);
  }

  #counts(one: Quota, factor: number): number {
    if (one === slots) return this.#open.filter(({ list }) => list.includes(slots)).length;
    if (one === month) return this.#spent + this.#held();
    const from = this.#under.now() - (one.span.kind === "window" ? one.span.ms : 0) * factor;
    return this.#entries.get(one)!.reduce((sum, { at, amount }) => (at > from ? sum + amount : sum), 0);
  }

  /** A slot is a hundredth of a window. */
  #slotsSince({ span }: Quota, at: number): number {
    const width = span.kind === "window" ? span.ms / 100 : 1;
    return Math.floor(this.#under.now() / width) - Math.floor(at / width);
  }

  #held(): number {
    return this.#open.reduce((sum, { list, amount }) => (list.includes(month) ? sum + amount : sum), 0);
  }

  #newDay(): void {
    const today = Math.floor(this.#under.now() / 86_400_000);
    if (today !== this.#day) this.#spent = 0;
    this.#day = today;
  }

  async #usedOf(list: readonly Quota[]): Promise<number[]> {
    const used: number[] = [];
    for (const one of list) used.push(await this.#under.used(one));
    return used;
  }
}
