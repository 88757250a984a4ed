import type { Endpoint } from "@signalbox/protocol";

/** Where each endpoint is on the public listener, as OpenAI has it. */
export const inferencePaths: Readonly<Record<Endpoint, string>> = {
  chat_completions: "/v1/chat/completions",
  completions: "/v1/completions",
  embeddings: "/v1/embeddings",
};
