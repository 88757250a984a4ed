import { type Endpoint, endpoints } from "@signalbox/protocol";
import { serveInference } from "../request-path/serve.ts";
import type { Route } from "./route.ts";

/** Where each endpoint is on the public listener, as OpenAI has it. */
const paths: Record<Endpoint, string> = {
  chat_completions: "/v1/chat/completions",
  completions: "/v1/completions",
  embeddings: "/v1/embeddings",
};

/** `POST /v1/chat/completions`, `/v1/completions`, `/v1/embeddings`. */
export const inferenceRoutes: readonly Route[] = endpoints.map((endpoint) => ({
  method: "POST",
  path: paths[endpoint],
  handle: (serving, exchange) => serveInference(serving, exchange, endpoint),
}));
