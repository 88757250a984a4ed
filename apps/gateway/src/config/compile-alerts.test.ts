import { expect, test } from "vitest";
import { thresholdOf, thresholdTable } from "../signals/alert-table.ts";
import { AlertSection, ModelAlerts } from "./alert-schema.ts";
import { loadConfig } from "./load.ts";
import { formatError } from "./problems.ts";

async function load(alerts: string, ofModel = "{}") {
  const yaml = `version: 1
server: { alerts: ${alerts} }
backends:
  a: { kind: vllm, url: "http://127.0.0.1:8000" }
models:
  large: { on: [{ backend: a }] }
  night: { on: [{ backend: a }], alerts: ${ofModel} }
`;
  const result = await loadConfig(yaml, { env: {}, fileName: "signalbox.yaml" });
  return result.ok
    ? { alerts: result.config.alerts, errors: [] }
    : { alerts: [], errors: result.errors.map(formatError) };
}

test("every threshold of the table is a setting, and those that are judged for each model may be its own", () => {
  expect(Object.keys(AlertSection.shape)).toEqual(Object.keys(thresholdTable));
  const ofModels = Object.entries(thresholdTable).filter(([, { perModel }]) => perModel);
  expect(Object.keys(ModelAlerts.shape)).toEqual(ofModels.map(([name]) => name));
});

test("thresholds are seconds, shares and counts, for the pool and for each model", async () => {
  const { alerts } = await load("{}");
  expect(alerts.filter(({ name }) => name === "response_time")).toEqual(
    ["", "large", "night"].flatMap((model) => [
      { name: "response_time", severity: "warning", model, value: 2 },
      { name: "response_time", severity: "critical", model, value: 3 },
    ]),
  );
  expect(alerts.filter(({ name }) => name === "queue").map(({ model, value }) => [model, value])).toEqual([
    ["", 25],
    ["", 50],
  ]);
  expect(thresholdOf(alerts, "error_rate", "critical", "large")).toBe(0.1);
  expect(thresholdOf(alerts, "objective")).toBe(0.995);
});

test("a model's own value replaces the pool's, one by one", async () => {
  const { alerts } = await load("{ response_time: { critical: 4s } }", "{ response_time: { warning: 700ms } }");
  const of = (model: string) =>
    (["warning", "critical"] as const).map((severity) => thresholdOf(alerts, "response_time", severity, model));
  expect(of("large")).toEqual([2, 4]);
  expect(of("night")).toEqual([0.7, 4]);
  expect(of("unheard-of")).toEqual([2, 4]);
});

test("a warning above its critical value is refused where it was written", async () => {
  const { errors } = await load("{ queue: { warning: 80 }, token_time: { critical: 100ms } }");
  expect(errors).toHaveLength(2);
  expect(errors[0]).toContain("server.alerts.queue: its warning lies above its critical value");
  expect(errors[1]).toContain("server.alerts.token_time: ");
  expect((await load("{}", "{ error_rate: { warning: 11% } }")).errors).toEqual([
    expect.stringContaining("signalbox.yaml:7:44: models.night.alerts.error_rate: its warning lies above"),
  ]);
});

test("an objective that leaves nothing to fail is refused", async () => {
  expect((await load("{ objective: 100% }")).errors).toEqual([expect.stringContaining("expected less than 100%")]);
});
