import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startTestGateway, type TestGateway } from "./test-gateway.ts";
import { noPrometheus, startPrometheus, type TestPrometheus } from "./test-prometheus.ts";

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
const name = "signalbox_request_duration_seconds";
const lasting = { team: "default", model: "m", endpoint: "chat_completions" };

interface Found {
  readonly result: readonly { readonly metric: Record<string, string>; readonly value: readonly [number, string] }[];
}

describe.skipIf(noPrometheus !== undefined)(`a real Prometheus${noPrometheus ? ` (${noPrometheus})` : ""}`, () => {
  let gateway: TestGateway<"one">;
  beforeAll(async () => {
    gateway = await startTestGateway({
      engines: { one: { kind: "vllm", models: ["m"] } },
      yaml: ({ one }) => `
backends: { one: { kind: vllm, url: "${one}" } }
models: { m: { on: [{ backend: one, model: m }] } }
`,
    });
    const { metrics } = gateway.gateway.serving.signals;
    for (let at = 1; at <= 100; at++) metrics.histogram(name, lasting).observe(at / 50, traceId);
  });
  afterAll(() => gateway.close());

  const scraping = async (features: readonly string[], look: (prometheus: TestPrometheus) => Promise<void>) => {
    const prometheus = await startPrometheus(new URL(gateway.adminUrl).host, features);
    try {
      await look(prometheus);
    } finally {
      await prometheus.close();
    }
  };
  const valuesOf = async (prometheus: TestPrometheus, query: string): Promise<readonly number[]> => {
    const found = (await prometheus.get("/api/v1/query", { query })) as Found | undefined;
    return (found?.result ?? []).map(({ value }) => Number(value[1]));
  };
  const exemplarsOf = async (prometheus: TestPrometheus, query: string) =>
    JSON.stringify(
      await prometheus.get("/api/v1/query_exemplars", {
        query,
        start: String(Date.now() / 1000 - 600),
        end: String(Date.now() / 1000 + 600),
      }),
    );
  const patience = { timeout: 15_000, interval: 100 };

  test("reads OpenMetrics: buckets, and the traces of exemplars", { timeout: 30_000 }, () =>
    scraping(["exemplar-storage"], async (prometheus) => {
      const median = `histogram_quantile(0.5, signalbox_request_duration_seconds_bucket{model="m"})`;
      await expect.poll(() => valuesOf(prometheus, median), patience).toEqual([1]);
      expect(await valuesOf(prometheus, 'up{job="signalbox"}')).toEqual([1]);
      expect(await valuesOf(prometheus, 'signalbox_request_duration_seconds_bucket{le="1.0"}')).toEqual([50]);
      await expect.poll(() => exemplarsOf(prometheus, `${name}_bucket`), patience).toContain(traceId);
    }),
  );

  test("reads protocol buffers: native histograms are exact to 9 %", { timeout: 30_000 }, () =>
    scraping(["native-histograms", "exemplar-storage"], async (prometheus) => {
      const late = `histogram_quantile(0.9, signalbox_request_duration_seconds{model="m"})`;
      await expect.poll(() => valuesOf(prometheus, late), patience).toHaveLength(1);
      const [found] = await valuesOf(prometheus, late);
      expect(found).toBeGreaterThan(1.8 / 1.05);
      expect(found).toBeLessThan(1.8 * 1.05);
      expect(await valuesOf(prometheus, `histogram_count(signalbox_request_duration_seconds)`)).toEqual([100]);
      expect(await valuesOf(prometheus, `histogram_sum(signalbox_request_duration_seconds)`)).toEqual([101]);
      expect(await valuesOf(prometheus, 'signalbox_backend_up{backend="one"}')).toEqual([1]);
      await expect.poll(() => exemplarsOf(prometheus, name), patience).toContain(traceId);
    }),
  );
});
