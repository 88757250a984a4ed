import type { ToolCall } from "./call.ts";
import { createEngineCalls, type EngineCalls, type EngineCallsEnd } from "./engine-calls.ts";
import { readTools } from "./tools.ts";

const tools = readTools([
  { function: { name: "get_weather", parameters: { properties: { city: {} }, required: ["city"] } } },
  { function: { name: "exec", parameters: { properties: { cmd: {} } } } },
  { function: { name: "noargs" } },
]);

/** With ids that count up: `new_1`, `new_2`. */
export function createCalls(): EngineCalls {
  let made = 0;
  return createEngineCalls({ tools, createId: () => `new_${++made}` });
}

/** What comes of a reply; one push for each argument: the `tool_calls` of one delta. */
export function assemble(pushes: readonly unknown[], finish: string | undefined = "tool_calls"): EngineCallsEnd {
  const engine = createCalls();
  const calls: ToolCall[] = [];
  for (const push of pushes) {
    engine.push(push);
    calls.push(...engine.take());
  }
  const { calls: last, leftovers } = engine.end(finish);
  return { calls: [...calls, ...last], leftovers };
}

/** What comes of a reply, as `name arguments`, with a star when it was repaired. */
export function shown(pushes: readonly unknown[], finish?: string): string[] {
  const { calls, leftovers } = assemble(pushes, finish);
  return [
    ...calls.map((call) => `${call.name} ${call.arguments}${call.outcome === "repaired" ? " *" : ""}`),
    ...leftovers.map(({ name, raw }) => `FAILED ${name} ${raw}`),
  ];
}

/** An entry of `tool_calls`. */
export function entry(
  index: number | undefined,
  id: string | null | undefined,
  name: string | null | undefined,
  args?: unknown,
) {
  return { index, id, type: "function", function: { name, arguments: args } };
}
