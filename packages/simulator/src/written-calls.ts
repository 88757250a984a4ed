import type { PlannedCall } from "./tool-choice.ts";

/** Calls as the model writes them, for an engine without a parser: MiniMax-M2's XML, or Hermes' JSON for all others. */
export function writtenCalls(calls: readonly PlannedCall[], model: string): string {
  return /minimax/i.test(model) ? miniMaxXml(calls) : calls.map(hermesJson).join("\n");
}

function miniMaxXml(calls: readonly PlannedCall[]): string {
  const invokes = calls.map(({ name, arguments: json }) => {
    const parameters = Object.entries(JSON.parse(json) as Record<string, unknown>).map(
      ([key, value]) =>
        `<parameter name="${key}">${typeof value === "string" ? value : JSON.stringify(value)}</parameter>\n`,
    );
    return `<invoke name="${name}">\n${parameters.join("")}</invoke>\n`;
  });
  return `<minimax:tool_call>\n${invokes.join("")}</minimax:tool_call>`;
}

function hermesJson({ name, arguments: json }: PlannedCall): string {
  return `<tool_call>\n{"name": ${JSON.stringify(name)}, "arguments": ${json}}\n</tool_call>`;
}
