import { expect, test } from "vitest";
import { startTestGateway } from "./test-gateway.ts";

const policy = (
  alerts: string,
  model = "m",
) => `server: { listen: 127.0.0.1:0, admin: 127.0.0.1:0, log: silent, alerts: ${alerts} }
backends: { one: { kind: vllm, url: "http://127.0.0.1:9" } }
models: { ${model}: { on: [{ backend: one }] } }
`;

test("thresholds are shown from the start on, and follow a reload", async () => {
  const gateway = await startTestGateway({ yaml: () => policy("{}"), probed: false });
  try {
    const shown = async (name: string) => {
      const lines = (await gateway.metrics()).split("\n").filter((line) => line.includes(`threshold{name="${name}"`));
      return lines.map((line) => line.replace("signalbox_alert_threshold", ""));
    };
    expect(await shown("queue")).toEqual([
      '{name="queue",severity="warning",model=""} 25',
      '{name="queue",severity="critical",model=""} 50',
    ]);
    expect(await shown("error_rate")).toContain('{name="error_rate",severity="critical",model="m"} 0.1');
    await gateway.apply(policy("{ queue: { critical: 200 }, error_rate: { critical: 20% } }", "renamed"));
    expect(await shown("queue")).toContain('{name="queue",severity="critical",model=""} 200');
    const rates = await shown("error_rate");
    expect(rates).toContain('{name="error_rate",severity="critical",model="renamed"} 0.2');
    expect(rates.filter((line) => line.includes('model="m"'))).toEqual([]);
  } finally {
    await gateway.close();
  }
});
