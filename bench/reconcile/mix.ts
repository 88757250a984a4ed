import { createRandom } from "../../packages/simulator/src/index.ts";
import { type TeamName, teams } from "./pool.ts";

/** One request of the mix. */
export interface Ask {
  /** Sent as its id, so that client, gateway and engines call it alike. */
  readonly id: string;
  /** Whose key it shows; undefined = none that is known. */
  readonly team: TeamName | undefined;
  readonly endpoint: "chat_completions" | "completions" | "embeddings";
  /** The model that it asks for. */
  readonly model: string;
  readonly bytes: Buffer;
  /** The client leaves: before there is an answer, or within it. */
  readonly leaves: "early" | "midway" | undefined;
}

const paths = { chat_completions: "chat/completions", completions: "completions", embeddings: "embeddings" } as const;
const hard =
  "Design a fault-tolerant distributed rate limiter, prove that it never admits too much under partitions, and analyse its failure modes step by step";
const tools = [
  {
    type: "function",
    function: {
      name: "get_weather",
      description: "the weather of a city",
      parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
    },
  },
];

interface Draft {
  readonly model: string;
  readonly prompt?: string;
  readonly endpoint?: Ask["endpoint"];
  readonly more?: object;
  readonly stream?: boolean;
  readonly leaves?: Ask["leaves"];
  readonly key?: string;
  /** In place of JSON. */
  readonly text?: string;
}

/** Sorts of requests, and how often each comes. */
const sorts: readonly (readonly [share: number, draft: Draft])[] = [
  [22, { model: "large" }],
  [13, { model: "small" }],
  [3, { model: "big" }],
  [3, { model: "lost" }],
  [10, { model: "auto", prompt: "hi there" }],
  [6, { model: "auto", prompt: hard }],
  [6, { model: "large", prompt: "what is the weather in Paris", more: { tools } }],
  [6, { model: "texty", prompt: "what is the weather in Paris", more: { tools } }],
  [8, { model: "telling" }],
  [6, { model: "breaking", stream: true }],
  [3, { model: "stuck", stream: true, leaves: "midway" }],
  [1, { model: "mute", leaves: "early" }],
  [4, { model: "vectors", endpoint: "embeddings", stream: false }],
  [3, { model: "small", endpoint: "completions" }],
  [3, { model: "large", key: "a key of nobody" }],
  [1, { model: "large", key: "" }],
  [3, { model: "no-such-model" }],
  [2, { model: "large", text: '{"model": "large", "messages": [' }],
];
/** How often teams ask. */
const askers: Readonly<Record<TeamName, number>> = { alpha: 26, beta: 20, gamma: 14, limited: 16, poor: 7, narrow: 17 };

function pick<T>(shares: readonly (readonly [number, T])[], random: number): T {
  let left = random * shares.reduce((sum, [share]) => sum + share, 0);
  for (const [share, one] of shares) {
    left -= share;
    if (left < 0) return one;
  }
  return shares.at(-1)![1];
}

/** The request with this number; the same for the same seed. */
export function askOf(seed: number, number: number): Ask {
  const random = createRandom(Math.imul(seed, 0x9e3779b1) ^ number);
  const draft = pick(sorts, random());
  const known = pick(
    teams.map((team) => [askers[team], team] as const),
    random(),
  );
  const { model, endpoint = "chat_completions", key = `key-${known}`, leaves } = draft;
  const stream = draft.stream ?? random() < 0.5;
  // Some clients never ask what it cost.
  const counted = random() < 0.8 || leaves !== undefined;
  const id = `reconcile-${seed}-${String(number).padStart(7, "0")}`;
  const prompt = draft.prompt ?? `count sheep up to ${String(number).padStart(7, "0")}`;
  const body = draft.text ?? JSON.stringify(bodyOf({ ...draft, endpoint, prompt, stream }, counted));
  const bearer = key === "" ? "" : `authorization: Bearer ${key}\r\n`;
  const head = `POST /v1/${paths[endpoint]} HTTP/1.1\r\nhost: bench\r\nx-request-id: ${id}\r\n${bearer}content-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n`;
  const team = draft.key === undefined ? known : undefined;
  return { id, team, endpoint, model, bytes: Buffer.from(head + body), leaves };
}

function bodyOf({ model, endpoint, prompt, stream, more }: Draft, counted: boolean): object {
  if (endpoint === "embeddings") return { model, input: prompt };
  const told = stream ? { stream: true, ...(counted && { stream_options: { include_usage: true } }) } : {};
  const asked = endpoint === "completions" ? { prompt } : { messages: [{ role: "user", content: prompt }] };
  return { model, ...asked, max_tokens: 24, ...told, ...more };
}
