import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { createMetrics } from "./metrics.ts";

const numbers = (count: number): readonly number[] => Array.from({ length: count }, (_, at) => at);

/** Every team asks every model, each of which is on one or two of the backends. */
function busyPool() {
  const metrics = createMetrics();
  for (const team of numbers(100).map((at) => `team-${at}`)) {
    for (const at of numbers(8)) {
      const [model, backend, endpoint] = [`model-${at % 5}`, `backend-${at}`, "chat_completions"];
      const duration = metrics.histogram("signalbox_request_duration_seconds", { team, model, endpoint });
      for (const one of numbers(50)) duration.observe(one / 7);
      metrics.counter("signalbox_requests_total", { team, model, endpoint, status: "200", code: "ok" }).value = 123_456;
      metrics.counter("signalbox_cost_total", { team, model }).value = 1.234_567_8;
      metrics.counter("signalbox_baseline_cost_total", { team, model }).value = 12.345_678;
      for (const type of ["input", "output", "cached_input", "reasoning"])
        metrics.counter("signalbox_tokens_total", { team, model, backend, type }).value = 123_456_789;
    }
  }
  return metrics;
}

const protobuf = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";

test.each(["text/plain", "application/openmetrics-text", protobuf])(
  "100 teams, 5 models and 8 backends are small as %s",
  async (accept) => {
    const { body } = await busyPool().expose(accept);
    expect(gzipSync(body, { level: 1 }).length).toBeLessThan(150_000);
    expect(body.length).toBeLessThan(accept === protobuf ? 1_000_000 : 1_500_000);
  },
);

test("a series has its labels in the order of the table, whoever makes it", async () => {
  const metrics = createMetrics();
  metrics.counter("signalbox_fallbacks_total", { to_model: "b", from_model: "a" }).value = 2;
  expect(await metrics.text()).toContain('\nsignalbox_fallbacks_total{from_model="a",to_model="b"} 2\n');
});
