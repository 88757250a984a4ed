import { GatewayError } from "@signalbox/protocol";
import { AttemptFailure } from "@signalbox/router";
import { expect, test } from "vitest";
import { loggedWords } from "./logged-words.ts";

const PROMPT = "words of a prompt";
const internal = new GatewayError("internal_error", "internal error");

function thrownBy(run: () => unknown): unknown {
  try {
    return run();
  } catch (error) {
    return error;
  }
}

test("a fault of ours is logged with its place, and without the text that could not be parsed", () => {
  const fault = thrownBy(() => JSON.parse(PROMPT));
  expect(String(fault)).toContain("words");
  const logged = loggedWords(internal, fault);
  expect(logged).toContain("SyntaxError: a text could not be parsed");
  expect(logged).toContain("logged-words.test.ts");
  expect(logged).not.toContain("words of");
  expect(loggedWords(internal, new TypeError("x is undefined"))).toContain("x is undefined");
});

test("of what an engine says its status and its meaning are logged", () => {
  const error = { status: 400, meaning: "caller", message: PROMPT, retryAfterMs: undefined, body: undefined } as const;
  const cause = new AttemptFailure({ how: "refused", error }, `gpu: ${PROMPT}`);
  const told = new GatewayError("rejected_by_backend", PROMPT, { cause });
  expect(loggedWords(told, told)).toBe("the backend answered with status 400, which means caller");
});

test("why a key is not taken any more is logged, and not told", () => {
  const told = new GatewayError("invalid_api_key", "not known here", { cause: new Error("the key ci has expired") });
  expect(loggedWords(told, told)).toBe("the key ci has expired");
});
