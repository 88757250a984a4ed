import { type ErrorRule, readErrorWith } from "./error-table.ts";
import { countOf, fieldsOf, itemsOf } from "./json-fields.ts";
import type { BackendKind, Get, ListedModel, Load } from "./kind.ts";
import { listsModelsOf, readListing } from "./model-listing.ts";
import { ask, downBy, isFine, loading, loadOf, type ProbeAnswer, ready, refusesKey } from "./probe-answer.ts";
import { maxOf, readPrometheusText, sumOf } from "./prometheus-text.ts";

const errors: readonly ErrorRule[] = [
  {
    meaning: "busy",
    status: [429, 500, 503],
    message: ["the request queue is full", "aborted by a higher priority request"],
  },
  { meaning: "loading", status: [503], message: ["starting", "warming up", "not ready"] },
  {
    meaning: "context_length",
    status: [400],
    message: ["longer than the model's context length", "exceeds the maximum allowed length"],
  },
];

const RUNNING = "sglang:num_running_reqs";
const WAITING = "sglang:num_queue_reqs";
const TOKEN_USAGE = "sglang:token_usage";
const metricNames = new Set([RUNNING, WAITING, TOKEN_USAGE]);

/** SGLang's own server. */
export const sglang: BackendKind = {
  title: "SGLang",
  defaultPort: 30000,
  paths: { chat_completions: "/v1/chat/completions", completions: "/v1/completions", embeddings: "/v1/embeddings" },
  sampling: { top_k: "top_k", min_p: "min_p", repetition_penalty: "repetition_penalty" },
  streamsUsage: true,
  countsTokens: true,
  // Takes the last message off, renders the rest with a generation prompt, and puts its text behind that as it is.
  continuation: { continue_final_message: "true" },
  concurrent: true,
  reasoningHistory: "reasoning_content",
  readError: readErrorWith(errors),

  // A server without --tool-call-parser hands the text on as it is, special tokens and all.
  editRawRequest: () => ({}),

  async probe(get) {
    const health = await ask(get, "/health");
    if (health.status === 503) return loading("503 on /health: starting or shutting down");
    if (!isFine(health)) return downBy(health);
    const [listing, loads] = await Promise.all([ask(get, "/v1/models"), ask(get, "/v1/loads")]);
    if (refusesKey(listing)) return downBy(listing);
    return ready({ load: readLoads(loads) ?? (await readLoadElsewhere(get, loads)), models: readModels(listing) });
  },

  recognise: (get) => listsModelsOf("sglang", get),
};

function readModels(listing: ProbeAnswer): readonly ListedModel[] | undefined {
  return readListing(listing)?.map(({ id, row }) => {
    const context = countOf(row.max_model_len);
    return { id, loaded: true, ...(context === undefined ? {} : { context }) };
  });
}

/** `/v1/loads`: one entry for each data-parallel rank, and in some versions their aggregate. */
function readLoads(answer: ProbeAnswer): Load | undefined {
  if (!isFine(answer)) return undefined;
  const body = fieldsOf(answer.json);
  const ranks = itemsOf(body.loads).map(fieldsOf);
  const aggregate = fieldsOf(body.aggregate);
  return loadOf({
    running: total(ranks, "num_running_reqs") ?? countOf(aggregate.total_running_reqs),
    waiting: total(ranks, "num_waiting_reqs") ?? countOf(aggregate.total_waiting_reqs),
    kvUse: most(ranks, "token_usage") ?? countOf(aggregate.token_usage) ?? countOf(aggregate.avg_token_usage),
    slots: total(ranks, "max_running_requests"),
  });
}

/** One request is left: servers without /v1/loads have /get_load, and where /v1/loads fails the metrics may not. */
async function readLoadElsewhere(get: Get, { status }: ProbeAnswer): Promise<Load | undefined> {
  if (status === 404 || status === 405) return readGetLoad(await ask(get, "/get_load"));
  return readMetrics(await ask(get, "/metrics"));
}

/** `/get_load`: a list of ranks, in which `num_reqs` counts the waiting ones too. */
function readGetLoad(answer: ProbeAnswer): Load | undefined {
  if (!isFine(answer)) return undefined;
  const ranks = itemsOf(answer.json).map(fieldsOf);
  const all = total(ranks, "num_reqs");
  const waiting = total(ranks, "num_waiting_reqs");
  const running = all === undefined ? undefined : Math.max(0, all - (waiting ?? 0));
  return loadOf({ running, waiting, kvUse: undefined, slots: undefined });
}

function readMetrics(answer: ProbeAnswer): Load | undefined {
  if (!isFine(answer)) return undefined;
  const samples = readPrometheusText(answer.text, metricNames);
  return loadOf({
    running: sumOf(samples, RUNNING),
    waiting: sumOf(samples, WAITING),
    kvUse: maxOf(samples, TOKEN_USAGE),
    slots: undefined,
  });
}

type Rank = Readonly<Record<string, unknown>>;

function total(ranks: readonly Rank[], field: string): number | undefined {
  const counts = counted(ranks, field);
  return counts.length === 0 ? undefined : counts.reduce((sum, count) => sum + count, 0);
}

function most(ranks: readonly Rank[], field: string): number | undefined {
  const counts = counted(ranks, field);
  return counts.length === 0 ? undefined : counts.reduce((max, count) => Math.max(max, count));
}

function counted(ranks: readonly Rank[], field: string): readonly number[] {
  return ranks.map((rank) => countOf(rank[field])).filter((count) => count !== undefined);
}
