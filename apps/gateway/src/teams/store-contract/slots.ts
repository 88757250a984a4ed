import { expect, test } from "vitest";
import { admitted, claim, quota, refused, type SetUp, took } from "./claims.ts";

/** What is held while it is under way. */
export function slots(setUp: SetUp): void {
  test("holds at most `concurrent` slots, and a slot comes back once", async () => {
    const { store } = await setUp();
    const one = claim([quota("concurrent", 2)]);
    const first = admitted(await store.reserve(one));
    admitted(await store.reserve(one));
    const answer = refused(await store.reserve(one));
    expect(answer).toMatchObject({ code: "concurrency_limit_exceeded", retryAfterMs: 1000 });
    expect(answer.message).toContain("team a: limit of 2 requests at once reached");
    first.settle(took(5));
    first.settle(took(5));
    first.release();
    admitted(await store.reserve(one));
    refused(await store.reserve(one));
  });

  test("says how long slots were held of late when none is free", async () => {
    const { store, advance } = await setUp();
    const one = claim([quota("concurrent", 2)]);
    const first = admitted(await store.reserve(one));
    admitted(await store.reserve(one));
    await advance(20_000);
    first.settle(took(0));
    admitted(await store.reserve(one));
    expect(refused(await store.reserve(one)).retryAfterMs).toBe(10_000);
  });
}
