import { existsSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { errorBody, errorTable, GatewayError } from "./index.ts";

describe("errors", () => {
  test("docs/errors.md has a section for each code, with its status and type, and no other", () => {
    const file = new URL("../../../docs/errors.md", import.meta.url);
    expect(existsSync(file)).toBe(true);
    const rows = [...readFileSync(file, "utf8").matchAll(/^### `(\w+)`\n\n(\d{3}) · `(\w+)` · (\w+)/gm)].map((row) =>
      row.slice(1),
    );
    const table = Object.entries(errorTable).map(([code, row]) => [code, String(row.status), row.type, row.domain]);
    expect(rows.toSorted()).toEqual(table.toSorted());
  });

  test("leave in OpenAI's shape", () => {
    const error = new GatewayError("invalid_request", "messages: must not be empty", { param: "messages" });
    expect(errorBody(error)).toEqual({
      error: {
        message: "messages: must not be empty",
        type: "invalid_request_error",
        param: "messages",
        code: "invalid_request",
      },
    });
  });

  test("a backend's own error keeps its words, and nothing but words and codes", () => {
    const upstreamBody = {
      message: "too long",
      type: "exceed_context_size_error",
      code: 400,
      n_ctx: 2048,
      secret: { a: 1 },
    };
    const error = new GatewayError("context_length_exceeded", "gemma: too long", { upstreamBody });
    expect(errorBody(error)).toEqual({
      error: { message: "too long", type: "exceed_context_size_error", param: null, code: "context_length_exceeded" },
    });
  });
});
