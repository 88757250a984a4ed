import { expect, test } from "vitest";
import { Cancellation } from "./cancellation.ts";

test("is cancelled once, with its first reason, and tells the listener of that time", () => {
  const cancellation = new Cancellation();
  const told: string[] = [];
  cancellation.listen(() => told.push("before"));
  cancellation.listen(() => told.push("now"));
  expect(cancellation.aborted).toBe(false);
  cancellation.cancel("first");
  cancellation.cancel("second");
  expect(told).toEqual(["now"]);
  expect(cancellation).toMatchObject({ aborted: true, reason: "first" });
});

test("tells who listens too late at once, and who has gone nothing", () => {
  const cancellation = new Cancellation();
  const told: string[] = [];
  cancellation.listen(() => told.push("gone"));
  cancellation.unlisten();
  cancellation.cancel("over");
  cancellation.listen(() => told.push("late"));
  expect(told).toEqual(["late"]);
});

test("takes its children with it, each with the same reason, and the listener beside them", () => {
  const cancellation = new Cancellation();
  const told: string[] = [];
  cancellation.listen(() => told.push("own"));
  for (const name of ["a", "b"]) cancellation.child().listen(() => told.push(name));
  const third = cancellation.child();
  cancellation.cancel("over");
  expect(told).toEqual(["own", "a", "b"]);
  expect(third).toMatchObject({ aborted: true, reason: "over" });
});

test("a child that is cancelled alone leaves its parent and the other child, and keeps its own reason", () => {
  const cancellation = new Cancellation();
  const [lost, won] = [cancellation.child(), cancellation.child()];
  lost.cancel("lost");
  expect([cancellation.aborted, won.aborted]).toEqual([false, false]);
  cancellation.cancel("over");
  expect([lost.reason, won.reason]).toEqual(["lost", "over"]);
});

test("a child that comes too late is cancelled from the beginning", () => {
  const cancellation = new Cancellation();
  cancellation.cancel("over");
  expect(cancellation.child()).toMatchObject({ aborted: true, reason: "over" });
});
