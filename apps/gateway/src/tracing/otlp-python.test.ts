import { expect, test } from "vitest";
import { missingPython, runPython } from "../end-to-end/python-client.ts";
import { startTracedPool } from "./traced-pool.ts";

const missing = missingPython();

test.skipIf(missing !== undefined)(
  `OpenTelemetry's own Python messages read the same spans as our decoder${missing ? ` (${missing})` : ""}`,
  async () => {
    const pool = await startTracedPool({ traces: ", sample: 100%" });
    for (const name of ["a", "b"] as const) pool.gateway.engines[name].fault({ kind: "status", status: 500 });
    const { traceId } = await pool.chat({ sampled: true, headers: { tracestate: "vendor=1" } });
    const ours = await pool.collector.trace(traceId, 4);
    const OTLP = pool.collector.bodies[0]!.toString("base64");
    const theirs = await runPython("../tracing/decode_otlp.py", { OTLP }, "opentelemetry-proto==1.45.2");
    const told = JSON.stringify(ours, (_key, value: unknown) => (typeof value === "bigint" ? String(value) : value));
    expect(theirs).toEqual(JSON.parse(told));
  },
  120_000,
);
