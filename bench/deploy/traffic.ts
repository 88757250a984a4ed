import { type SimulatorInput, startSimulator } from "../../packages/simulator/src/index.ts";
import { hashOf } from "../hostile/ready-gateway.ts";

const KEY = "sk-deployed";
const AT_ONCE = 16;
const SLOW = "slow";
const headers = { authorization: `Bearer ${KEY}`, "content-type": "application/json" };

/** Engines in this process, outside every sandbox, and the policy that names them. */
export interface Engines {
  policy(listen: string, admin: string): string;
  close(): Promise<void>;
}

/** Starts two quick engines and one that takes a second to write. */
export async function startEngines(): Promise<Engines> {
  const quick = { script: [{ reply: { deltas: Array.from({ length: 40 }, (_, i) => `word ${i} `) } }] };
  const slow = {
    tokensPerSecond: 60,
    script: [{ reply: { deltas: Array.from({ length: 60 }, (_, i) => `slow ${i} `) } }],
  };
  const inputs: SimulatorInput[] = [
    { kind: "vllm", models: ["large"], slots: 256, ...quick },
    { kind: "sglang", models: ["large"], slots: 256, ...quick },
    { kind: "vllm", models: ["slow"], ...slow },
  ];
  const [a, b, c] = await Promise.all(inputs.map((input) => startSimulator(input)));
  return {
    // Nothing is refused for want of a core: other programs may take it meanwhile.
    policy: (listen, admin) => `version: 1
server: { listen: "${listen}", admin: "${admin}", drain_delay: 500ms, drain: 20s, shed_lag: 0s }
backends:
  a: { kind: vllm, url: "${a!.url}" }
  b: { kind: sglang, url: "${b!.url}" }
  c: { kind: vllm, url: "${c!.url}" }
models:
  large: { on: [{ backend: a, model: large }, { backend: b, model: large }], context: 128k }
  ${SLOW}: { on: [{ backend: c, model: slow }] }
routing:
  - { use: large }
teams:
  all: { keys: ["${hashOf(KEY)}"] }
`,
    close: async () => void (await Promise.all([a!, b!, c!].map((engine) => engine.close()))),
  };
}

/** Sends so many requests, half of them for streams and a tenth with a long prompt; what was wrong with answers, in words. */
export async function sendRequests(url: string, count: number): Promise<readonly string[]> {
  const wrong: string[] = [];
  let sent = 0;
  const work = async (): Promise<void> => {
    while (sent < count) {
      const number = sent++;
      const problem = await ask(
        url,
        number % 2 === 0,
        number % 10 === 9 ? LONG : "Count.",
        number % 3 ? "auto" : "large",
      );
      if (problem !== undefined) wrong.push(`request ${number}: ${problem}`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return wrong;
}

const LONG = "All work and no play makes a dull day. ".repeat(1500);

async function ask(url: string, stream: boolean, content: string, model: string): Promise<string | undefined> {
  const body = JSON.stringify({ model, stream, messages: [{ role: "user", content }] });
  const response = await fetch(`${url}/v1/chat/completions`, { method: "POST", headers, body });
  const text = await response.text();
  if (response.status !== 200) return `status ${response.status}: ${text.slice(0, 200)}`;
  const isWhole = text.includes('"finish_reason":"stop"') && text.includes("word 39");
  return isWhole && stream === text.endsWith("data: [DONE]\n\n") ? undefined : `not whole: ${text.slice(-200)}`;
}

/** Streams that are under way; `ended` says of how many the end was seen. */
export async function beginSlowStreams(url: string, count: number): Promise<{ readonly ended: Promise<number> }> {
  const body = JSON.stringify({ model: SLOW, stream: true, messages: [{ role: "user", content: "Slowly." }] });
  const responses = await Promise.all(
    Array.from({ length: count }, () => fetch(`${url}/v1/chat/completions`, { method: "POST", headers, body })),
  );
  // The head of an answer leaves with its first words: they are all under way.
  const texts = responses.map((response) => response.text().catch(() => ""));
  const ended = Promise.all(texts).then((all) => all.filter((text) => text.endsWith("data: [DONE]\n\n")).length);
  return { ended };
}
