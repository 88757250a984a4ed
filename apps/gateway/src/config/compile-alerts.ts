import { type AlertThreshold, severities, type ThresholdName, thresholdTable } from "../signals/alert-table.ts";
import type { ModelAlerts } from "./alert-schema.ts";
import type { Config } from "./config.ts";
import type { Problem } from "./problems.ts";
import type { ConfigFile } from "./schema.ts";

/** Every threshold of a file; those that are judged for each model also with what holds for each of them. */
export function compileAlerts({ server, models }: ConfigFile): readonly AlertThreshold[] {
  return (Object.keys(thresholdTable) as ThresholdName[]).flatMap((name): AlertThreshold[] => {
    const value = server.alerts[name];
    const parts = thresholdTable[name].unit === "seconds" ? 1000 : 1;
    if (typeof value === "number") return [{ name, severity: "", model: "", value: value / parts }];
    const own = Object.entries(thresholdTable[name].perModel ? models : {}).map(([model, { alerts }]) => {
      const { warning = value.warning, critical = value.critical } = alerts[name as keyof ModelAlerts];
      return { model, levels: { warning, critical } };
    });
    return [{ model: "", levels: value }, ...own].flatMap(({ model, levels }) =>
      severities.map((severity) => ({ name, severity, model, value: levels[severity] / parts })),
    );
  });
}

/** Thresholds that somebody would be called by before it was worth a look. */
export function alertProblems({ alerts }: Config): Problem[] {
  const swapped = alerts.filter(({ severity, name, model, value }) => {
    if (severity !== "warning") return false;
    const critical = alerts.find((each) => each.severity === "critical" && each.name === name && each.model === model);
    return value > critical!.value;
  });
  // What the pool has wrong, models take over.
  return swapped
    .filter(({ name, model }) => model === "" || !swapped.some((each) => each.name === name && each.model === ""))
    .map(({ name, model }) => {
      const path = model === "" ? ["server", "alerts", name] : ["models", model, "alerts", name];
      return { path, message: "its warning lies above its critical value; did you mean to swap them?", atKey: true };
    });
}
