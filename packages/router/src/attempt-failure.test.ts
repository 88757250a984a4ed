import { GatewayError, type UpstreamError } from "@signalbox/protocol";
import { describe, expect, test } from "vitest";
import { type AttemptEnd, AttemptFailure, classifyOutcome } from "./attempt-failure.ts";

const refused = (meaning: UpstreamError["meaning"], status: number, retryAfterMs?: number): AttemptEnd => ({
  how: "refused",
  error: { status, message: "no", meaning, retryAfterMs, body: undefined },
});
const fault = (name: "connect" | "reset" | "cut" | "malformed" | "aborted" | "shortage"): AttemptEnd => ({
  how: "fault",
  fault: name,
});
const failed = (cause: string) => ({ kind: "failed", cause });
const denial = new GatewayError("tool_call_denied", "no");

describe("the outcome of an attempt", () => {
  test.each<[string, AttemptEnd, unknown]>([
    ["a finish_reason for every choice", { how: "complete" }, { kind: "ok" }],
    ["the client left", { how: "client_gone" }, { kind: "client_gone" }],
    ["we let go of the connection", fault("aborted"), { kind: "client_gone" }],
    ["no socket left for it", fault("shortage"), { kind: "shortage" }],
    ["no connection", fault("connect"), failed("connect")],
    ["a reset", fault("reset"), failed("reset")],
    ["a cut", fault("cut"), failed("cut")],
    ["no HTTP", fault("malformed"), failed("malformed")],
    ["no first token", { how: "timeout", which: "first_token" }, failed("first_token")],
    ["a stall", { how: "timeout", which: "stall" }, failed("stall")],
    ["the deadline", { how: "timeout", which: "total" }, failed("total")],
    ["no finish_reason", { how: "incomplete" }, failed("cut")],
    ["no reply", { how: "malformed" }, failed("malformed")],
    [
      "a policy's refusal",
      { how: "denied", escalate: false, error: denial },
      { kind: "caller_error", status: denial.status },
    ],
    ["429", refused("busy", 429, 2000), { kind: "backpressure", status: 429, retryAfterMs: 2000 }],
    ["503", refused("busy", 503), { kind: "backpressure", status: 503, retryAfterMs: undefined }],
    ["a model being loaded", refused("loading", 503, 5000), { kind: "backpressure", status: 503, retryAfterMs: 5000 }],
    ["500", refused("server", 500), failed("server_error")],
    ["our own key refused", refused("auth", 401), failed("server_error")],
    ["a wrong request", refused("caller", 400), { kind: "caller_error", status: 400 }],
    ["too long a prompt", refused("context_length", 413), { kind: "caller_error", status: 413 }],
    ["a refused content", refused("content_filter", 422), { kind: "caller_error", status: 422 }],
    ["a model that is not there", refused("model_missing", 404), { kind: "caller_error", status: 404 }],
  ])("%s", (_name, end, outcome) => {
    expect(classifyOutcome(end)).toEqual(outcome);
    expect(new AttemptFailure(end, "who: what").outcome).toEqual(outcome);
  });

  test("a failure says who and what, and what caused it where something did", () => {
    const cause = new Error("ECONNRESET");
    const failure = new AttemptFailure(fault("reset"), "edge: reset", cause);
    expect(failure).toMatchObject({ name: "AttemptFailure", message: "edge: reset", end: fault("reset"), cause });
    expect("cause" in new AttemptFailure(fault("reset"), "edge: reset")).toBe(false);
  });
});
