import { GatewayError, type UpstreamError } from "@signalbox/protocol";
import { expect, test } from "vitest";
import { type AttemptEnd, AttemptFailure } from "./attempt-failure.ts";
import { clientErrorOf } from "./client-error.ts";

const body = { message: "as it came" };
const refused = (
  meaning: UpstreamError["meaning"],
  status: number,
  retryAfterMs: number | undefined = undefined,
): AttemptEnd => ({
  how: "refused",
  error: { status, meaning, message: "said no", retryAfterMs, body },
});
const fault = (which: "connect" | "reset" | "cut" | "malformed" | "aborted" | "shortage"): AttemptEnd => ({
  how: "fault",
  fault: which,
});

test.each<[what: string, end: AttemptEnd, expected: Partial<GatewayError>]>([
  ["a wrong request", refused("caller", 422), { code: "rejected_by_backend", status: 422, upstreamBody: body }],
  ["a filter", refused("content_filter", 400), { code: "rejected_by_backend", status: 400, upstreamBody: body }],
  ["too long", refused("context_length", 413), { code: "context_length_exceeded", status: 400, upstreamBody: body }],
  ["busy, with a time", refused("busy", 429, 2500), { code: "backends_overloaded", retryAfterMs: 2500 }],
  ["busy, with no time at all", refused("busy", 429, 0), { code: "backends_overloaded", retryAfterMs: 0 }],
  ["busy", refused("busy", 429), { code: "backends_overloaded", status: 503, retryAfterMs: 7000 }],
  ["loading", refused("loading", 503), { code: "backends_overloaded", retryAfterMs: 7000 }],
  ["a fault of the engine", refused("server", 500), { code: "upstream_failed", status: 502, retryAfterMs: undefined }],
  ["a wrong key of ours", refused("auth", 401), { code: "upstream_failed", status: 502, upstreamBody: undefined }],
  ["no such model", refused("model_missing", 404), { code: "upstream_failed" }],
  ["what it was not started with", refused("server", 501), { code: "capability_not_supported", status: 400 }],
  ["a client that left", { how: "client_gone" }, { code: "client_closed_request" }],
  ["an exchange that we ended", fault("aborted"), { code: "client_closed_request" }],
  ["a want of sockets", fault("shortage"), { code: "gateway_overloaded", retryAfterMs: 1000 }],
  ["the deadline", { how: "timeout", which: "total" }, { code: "deadline_exceeded", status: 504 }],
  ["no first token", { how: "timeout", which: "first_token" }, { code: "upstream_timeout", status: 504 }],
  ["a stall", { how: "timeout", which: "stall" }, { code: "upstream_timeout" }],
  ["nobody there", fault("connect"), { code: "backends_unavailable", status: 503, retryAfterMs: 7000 }],
  ["a reset", fault("reset"), { code: "upstream_failed", retryAfterMs: undefined }],
  ["a cut", fault("cut"), { code: "upstream_failed" }],
  ["junk", { how: "malformed" }, { code: "upstream_failed" }],
  ["no finish_reason", { how: "incomplete" }, { code: "upstream_failed" }],
])("the client is told of %s in the backend's words", (_what, end, expected) => {
  const failure = new AttemptFailure(end, "gpu-1: its words");
  const error = clientErrorOf(failure, 7000);
  expect(error).toMatchObject({ message: "gpu-1: its words", cause: failure, ...expected });
  if (!("upstreamBody" in expected)) expect(error.upstreamBody).toBeUndefined();
});

test("what the policy denied has an error of its own", () => {
  const error = new GatewayError("tool_call_denied", "refused by policy");
  for (const escalate of [true, false]) {
    expect(clientErrorOf(new AttemptFailure({ how: "denied", escalate, error }, "gpu-1: refused"), 7000)).toBe(error);
  }
});
