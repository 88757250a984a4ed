import { GatewayError, type UpstreamError } from "@signalbox/protocol";
import { expect, test } from "vitest";
import { type AttemptEnd, AttemptFailure } from "./attempt-failure.ts";
import { isReset, type Next, nextAfter } from "./next-after.ts";

const refused = (meaning: UpstreamError["meaning"], status: number): AttemptEnd => ({
  how: "refused",
  error: { status, meaning, message: "said no", retryAfterMs: undefined, body: undefined },
});
const fault = (which: "connect" | "reset" | "cut" | "malformed" | "aborted" | "shortage"): AttemptEnd => ({
  how: "fault",
  fault: which,
});
const error = new GatewayError("tool_call_denied", "refused by policy");

test.each<[what: string, end: AttemptEnd, next: Next]>([
  ["a call that the policy denies", { how: "denied", escalate: false, error }, "give_up"],
  ["a call to be asked of another model", { how: "denied", escalate: true, error }, "next_model"],
  ["a wrong request", refused("caller", 400), "give_up"],
  ["a content filter", refused("content_filter", 400), "give_up"],
  ["too long", refused("context_length", 400), "larger_model"],
  ["a 500", refused("server", 500), "same_backend"],
  ["a 501", refused("server", 501), "other_backend"],
  ["busy", refused("busy", 429), "other_backend"],
  ["loading", refused("loading", 503), "other_backend"],
  ["a missing model", refused("model_missing", 404), "other_backend"],
  ["a wrong key of ours", refused("auth", 401), "other_backend"],
  ["the client's leaving", { how: "client_gone" }, "give_up"],
  ["an exchange that we ended", fault("aborted"), "give_up"],
  ["the deadline", { how: "timeout", which: "total" }, "give_up"],
  ["no first token", { how: "timeout", which: "first_token" }, "other_backend"],
  ["a stall", { how: "timeout", which: "stall" }, "other_backend"],
  ["a reset", fault("reset"), "same_backend"],
  ["nobody there", fault("connect"), "other_backend"],
  ["a cut", fault("cut"), "other_backend"],
  ["a want of sockets", fault("shortage"), "other_backend"],
  ["no finish_reason", { how: "incomplete" }, "other_backend"],
  ["junk", { how: "malformed" }, "other_backend"],
])("after %s", (_what, end, next) => {
  const failure = new AttemptFailure(end, "gpu-1: its words");
  expect(nextAfter(failure)).toBe(next);
  expect(isReset(failure)).toBe(end.how === "fault" && end.fault === "reset");
});
