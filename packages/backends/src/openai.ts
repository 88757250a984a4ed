import { type ErrorRule, readErrorWith } from "./error-table.ts";
import type { BackendKind } from "./kind.ts";
import { readListing } from "./model-listing.ts";
import { ask, down, downBy, isFine, ready } from "./probe-answer.ts";

const errors: readonly ErrorRule[] = [
  // Our account is empty: that is for the operator to mend, and no wait helps.
  { meaning: "auth", code: ["insufficient_quota", "billing_hard_limit_reached"] },
  // MiniMax says these under HTTP 200, in `base_resp`.
  { meaning: "busy", code: ["1002", "1039", "1041", "2045", "2056"], as: 429 },
  { meaning: "auth", code: ["1004", "1008", "2049"], as: 401 },
  { meaning: "content_filter", code: ["1026", "1027"], as: 400 },
  { meaning: "context_length", code: ["2013"], message: ["context window exceeds"], as: 400 },
  { meaning: "caller", code: ["2013"], as: 400 },
  { meaning: "context_length", status: [400, 413], message: ["context window", "maximum prompt length"] },
  // llama-cpp-python's server says 500 for what the caller did wrong, and for a model without embeddings.
  { meaning: "caller", status: [500], message: ["validation error"], as: 400 },
  { meaning: "model_missing", status: [500], message: ["must be created with embedding=true"], as: 501 },
];

/** Any other server with OpenAI's endpoints: a hosted API, another gateway, another engine. */
export const openai: BackendKind = {
  title: "OpenAI-compatible",
  defaultPort: undefined,
  hosted: true,
  paths: { chat_completions: "/v1/chat/completions", completions: "/v1/completions", embeddings: "/v1/embeddings" },
  sampling: {},
  streamsUsage: true,
  concurrent: true,
  readError: readErrorWith(errors),

  async probe(get) {
    const listing = await ask(get, "/v1/models");
    // It answers: without a listing, or too busy to list, it is still there.
    if (listing.status === 404 || listing.status === 405 || listing.status === 429) return ready({});
    if (!isFine(listing)) return downBy(listing);
    const rows = readListing(listing);
    return rows === undefined
      ? down("no model listing in the answer on /v1/models")
      : ready({ models: rows.map(({ id }) => ({ id })) });
  },

  recognise: async (get) => readListing(await ask(get, "/v1/models")) !== undefined,
};
