import OpenAI from "openai";
import type { ChatCompletion, ChatCompletionMessageParam } from "openai/resources/chat/completions";
import { startRealGateway } from "../../apps/gateway/src/engines-real/real-gateway.ts";
import { policyOf } from "../../apps/gateway/src/recipes/policy-form.ts";
import type { Recipe } from "../../apps/gateway/src/recipes/recipe.ts";

/** One question through a gateway with a recipe's policy, and what was wrong with the answer. */
export interface Asked {
  readonly what: string;
  readonly ms: number;
  /** Undefined when all was well. */
  readonly wrong: string | undefined;
}

const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const tools = [{ type: "function" as const, function: { name: "get_weather", parameters } }];
const question = (city: string): ChatCompletionMessageParam => ({ role: "user", content: `Weather in ${city}?` });

/** Turns that show a base model what to do: it goes on as they go. */
const workedExamples = ["London", "Berlin", "Madrid", "Rome"].flatMap((city): ChatCompletionMessageParam[] => [
  question(city),
  {
    role: "assistant",
    content: "",
    tool_calls: [
      { id: city, type: "function", function: { name: "get_weather", arguments: JSON.stringify({ city }) } },
    ],
  },
  { role: "tool", tool_call_id: city, content: "sunny" },
  { role: "assistant", content: "It is sunny." },
]);

/** A call as Qwen's models write it. */
const written = '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Lyon"}}\n</tool_call>';

/** What makes the small models that stand in for the recipe's call a tool, each by what its engine can be told. */
const toCall: Readonly<Record<string, object>> = {
  llama_cpp: { temperature: 0, stop: ["<|im_end|>", "</tool_call>"] },
  // Its weights are random: the text is given, token by token.
  vllm: { structured_outputs: { choice: [written] } },
};

type Ask = OpenAI.ChatCompletionCreateParamsNonStreaming;

/** Puts a gateway with the recipe's own policy in front of its engine at `address`, and asks it as a client does. */
export async function askRecipe(recipe: Recipe, address: string): Promise<Asked[]> {
  const gateway = await startRealGateway(policyOf(recipe, address).replace(/^version: 1\n/, ""));
  try {
    await gateway.probed;
    const client = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: "EMPTY", maxRetries: 0 });
    const { upstream: model } = recipe.model;
    const chat: Ask = { model, messages: [question("Paris")], max_tokens: 16 };
    const call: Ask = {
      model,
      messages: [...workedExamples, question("Lyon")],
      tools,
      max_tokens: 120,
      ...toCall[recipe.kind],
    };
    const asked: Asked[] = [];
    for (const [what, body, judge] of [
      ["a chat", chat, isChat],
      ["a tool call", call, isCall],
    ] as const) {
      asked.push(await timed(what, judge, () => client.chat.completions.create(body)));
      asked.push(await timed(`${what}, streamed`, judge, () => streamed(client, body)));
    }
    return asked;
  } finally {
    await gateway.close();
  }
}

function streamed(client: OpenAI, body: Ask): Promise<ChatCompletion> {
  return client.chat.completions
    .stream({ ...body, stream: true, stream_options: { include_usage: true } })
    .finalChatCompletion();
}

async function timed(
  what: string,
  judge: (completion: ChatCompletion) => string | undefined,
  ask: () => Promise<ChatCompletion>,
): Promise<Asked> {
  const began = performance.now();
  const wrong = await ask().then(judge, (error: unknown) => String(error));
  return { what, ms: Math.round(performance.now() - began), wrong };
}

function isChat({ choices: [choice], usage }: ChatCompletion): string | undefined {
  if (choice?.finish_reason !== "stop" && choice?.finish_reason !== "length")
    return `finish_reason ${choice?.finish_reason}`;
  return (usage?.completion_tokens ?? 0) > 0 ? undefined : "no usage";
}

function isCall({ choices: [choice] }: ChatCompletion): string | undefined {
  const [call, ...more] = choice?.message.tool_calls ?? [];
  if (choice?.finish_reason !== "tool_calls" || call?.type !== "function" || more.length > 0)
    return `finish_reason ${choice?.finish_reason}, ${more.length + (call === undefined ? 0 : 1)} calls`;
  const { name, arguments: json } = call.function;
  const city = (JSON.parse(json) as { city?: unknown }).city;
  return name === "get_weather" && city === "Lyon" ? undefined : `${name}(${json})`;
}
