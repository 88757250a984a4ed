import { z } from "zod";

/** The endpoints that take a request body and go to a backend. */
export const endpoints = ["chat_completions", "completions", "embeddings"] as const;
export type Endpoint = (typeof endpoints)[number];

const model = z.string().min(1).max(256);
const stream = z.boolean().nullish();
const positive = z.int().min(0).nullish();

const contentPart = z.looseObject({ type: z.string() });
const toolCall = z.looseObject({ function: z.looseObject({ name: z.string() }).optional() });

const summaryPart = z.looseObject({ text: z.string().nullish() });
/** A piece of the reasoning of an earlier turn. What has neither text nor summary is signed or encrypted. */
const reasoningDetail = z.looseObject({
  type: z.string().nullish(),
  text: z.string().nullish(),
  summary: z.union([z.string(), z.array(summaryPart)]).nullish(),
});

export const ChatMessage = z.looseObject({
  role: z.string(),
  content: z.union([z.string(), z.array(contentPart)]).nullish(),
  tool_calls: z.array(toolCall).nullish(),
  reasoning_content: z.string().nullish(),
  reasoning: z.string().nullish(),
  reasoning_details: z.array(reasoningDetail).nullish(),
});
export type ChatMessage = z.infer<typeof ChatMessage>;

export const Tool = z.looseObject({
  type: z.string().optional(),
  function: z.looseObject({ name: z.string() }).optional(),
});

const shared = {
  model,
  stream,
  stream_options: z.looseObject({ include_usage: z.boolean().nullish() }).nullish(),
  n: z.int().min(1).max(128).nullish(),
  max_tokens: positive,
  temperature: z.number().nullish(),
  top_p: z.number().nullish(),
  stop: z.union([z.string(), z.array(z.string())]).nullish(),
};

/** `POST /v1/chat/completions`. Loose: what an engine knows and we do not passes through. */
export const ChatRequest = z.looseObject({
  ...shared,
  messages: z.array(ChatMessage).min(1),
  max_completion_tokens: positive,
  tools: z.array(Tool).nullish(),
  tool_choice: z.union([z.string(), z.looseObject({})]).nullish(),
  response_format: z.looseObject({ type: z.string() }).nullish(),
});
export type ChatRequest = z.infer<typeof ChatRequest>;

/** `POST /v1/completions`. */
export const CompletionRequest = z.looseObject({
  ...shared,
  prompt: z.union([
    z.string(),
    z.array(z.string()).min(1),
    z.array(z.int()).min(1),
    z.array(z.array(z.int()).min(1)).min(1),
  ]),
});
export type CompletionRequest = z.infer<typeof CompletionRequest>;

/** `POST /v1/embeddings`. */
export const EmbeddingRequest = z.looseObject({
  model,
  input: z.union([
    z.string(),
    z.array(z.string()).min(1),
    z.array(z.int()).min(1),
    z.array(z.array(z.int()).min(1)).min(1),
  ]),
});
export type EmbeddingRequest = z.infer<typeof EmbeddingRequest>;

export type AnyRequest = ChatRequest | CompletionRequest | EmbeddingRequest;

/** The schema of each endpoint's body. */
export const requestSchemas = {
  chat_completions: ChatRequest,
  completions: CompletionRequest,
  embeddings: EmbeddingRequest,
} as const satisfies Record<Endpoint, z.ZodType>;
