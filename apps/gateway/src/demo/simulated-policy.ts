import type { RunningEngine } from "./simulated-pool.ts";

/** The policy of the demo's simulated pool: easy questions to the small models, all else to the large one, and any engine may die. */
export function simulatedPolicy(engines: readonly RunningEngine[], listen: string, admin: string): string {
  const backends = engines.map(
    ({ name, options, address }) =>
      `  ${name}: { kind: ${options.kind}, url: "${address}"${options.toolParser === false ? ", tool_parser: raw" : ""} }`,
  );
  const on = (name: string, more = ""): string => {
    const engine = engines.find((one) => one.name === name)!;
    return `{ backend: ${name}, model: ${JSON.stringify(engine.options.models[0])}${more} }`;
  };
  return `version: 1
server: { listen: "${listen}", admin: "${admin}" }
backends:
${backends.join("\n")}
models:
  large:
    on: [${on("m2", ", dialect: minimax_m2")}]
    aliases: [MiniMaxAI/MiniMax-M2]
    context: 196k
    tools: true
    json_schema: true
    fallback: [coder]
  coder:
    on: [${on("coder")}]
    aliases: [Qwen/Qwen2.5-Coder-32B-Instruct]
    context: 32k
    tools: true
    json_schema: true
    fallback: [spare]
  small:
    on: [${on("edge")}, ${on("phi")}]
    aliases: ["qwen2.5:0.5b", phi-4-mini]
    strategy: ordered
    context: 4k
    fallback: [large]
  # The small models once more, for when nothing larger answers: fallbacks must not go in a circle.
  spare:
    on: [${on("phi")}, ${on("edge")}]
    strategy: ordered
    context: 4k
routing:
  - { name: tools, when: { has_tools: true }, use: large }
  - { name: easy, when: { complexity: simple, tokens: "< 2k" }, use: small }
  - { name: rest, use: large }
# Engines are killed here on purpose, all but one of four perhaps, and faster than probes find out.
defaults: { attempts: 6, probe: { interval: 1s } }
`;
}
