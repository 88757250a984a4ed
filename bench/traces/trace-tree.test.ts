import { expect, test } from "vitest";
import { type OtlpSpan, traceTree } from "./trace-tree.ts";

const text = (key: string, stringValue: string) => ({ key, value: { stringValue } });

test("a trace is told from its beginning, and of later attempts only what is new", () => {
  const common = { traceId: "0af7", kind: 3, parentSpanId: "1" };
  const spans: OtlpSpan[] = [
    {
      ...common,
      spanId: "3",
      name: "chat small",
      startTimeUnixNano: "1795300461004000000",
      endTimeUnixNano: "1795300461009500000",
      attributes: [text("gen_ai.operation.name", "chat"), text("signalbox.backend", "b")],
      events: [{ name: "signalbox.commit", timeUnixNano: "1795300461006000000" }],
    },
    {
      ...common,
      spanId: "1",
      parentSpanId: "b7ad",
      kind: 2,
      name: "POST /v1/chat/completions",
      startTimeUnixNano: "1795300461000000000",
      endTimeUnixNano: "1795300461010000000",
      attributes: [{ key: "signalbox.attempts", value: { intValue: "2" } }],
    },
    {
      ...common,
      spanId: "2",
      name: "chat big",
      startTimeUnixNano: "1795300461001000000",
      endTimeUnixNano: "1795300461003000000",
      attributes: [text("gen_ai.operation.name", "chat"), text("signalbox.backend", "a")],
      status: { code: 2, message: "server_error" },
    },
  ];
  expect(traceTree(spans)).toBe(`trace 0af7, from the client's span b7ad

    0.0 to 10.0 ms   POST /v1/chat/completions (server)
            signalbox.attempts = 2

        1.0 to 3.0 ms   chat big (client)   ERROR server_error
                gen_ai.operation.name = chat
                signalbox.backend = a

        4.0 to 9.5 ms   chat small (client)
                signalbox.backend = b
        6.0 ms · signalbox.commit`);
});
