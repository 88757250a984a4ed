import { type ErrorRule, readErrorWith } from "./error-table.ts";
import { countOf, fieldsOf, itemsOf, textOf } from "./json-fields.ts";
import type { BackendKind, ListedModel, Load, RequestEdits, RequestView } from "./kind.ts";
import { limitAsMaxTokens } from "./limit-as-max-tokens.ts";
import { readListing } from "./model-listing.ts";
import { namedTools } from "./named-tools.ts";
import { noneInPlaceOfAuto } from "./none-in-place-of-auto.ts";
import { ask, downBy, isFine, loading, loadOf, type ProbeAnswer, ready, refusesKey } from "./probe-answer.ts";
import { maxOf, readPrometheusText, sumOf } from "./prometheus-text.ts";

const errors: readonly ErrorRule[] = [
  { meaning: "loading", status: [503], message: ["loading model"] },
  { meaning: "context_length", code: ["exceed_context_size_error"] },
  {
    meaning: "context_length",
    status: [400, 500],
    message: ["exceeds the available context size", "too large to process"],
    as: 400,
  },
  // Started without the template engine: the same model elsewhere may have it.
  { meaning: "model_missing", status: [400, 500], message: ["requires --jinja"] },
];

const RUNNING = "llamacpp:requests_processing";
const WAITING = "llamacpp:requests_deferred";
const KV_USE = "llamacpp:kv_cache_usage_ratio";
const metricNames = new Set([RUNNING, WAITING, KV_USE]);

/** llama.cpp's `llama-server`. */
export const llamaCpp: BackendKind = {
  title: "llama.cpp",
  defaultPort: 8080,
  paths: { chat_completions: "/v1/chat/completions", completions: "/v1/completions", embeddings: "/v1/embeddings" },
  sampling: { top_k: "top_k", min_p: "min_p", repetition_penalty: "repeat_penalty" },
  streamsUsage: true,
  concurrent: true,
  reasoningHistory: "reasoning_content",
  readError: readErrorWith(errors),

  // Versions before February 2026 do not read max_completion_tokens and generate without a limit.
  editRequest: (request) => ({ ...limitAsMaxTokens(request), ...namedToolAsRequired(request) }),

  // Text as it is, with and without --skip-chat-parsing; a parser that the text does not please would answer with 500.
  editRawRequest: noneInPlaceOfAuto,

  async probe(get) {
    const health = await ask(get, "/health");
    if (health.status === 503 && saysLoading(health)) return loading("503 on /health: loading the model");
    if (!isFine(health) && !saysFull(health)) return downBy(health);
    const [listing, props] = await Promise.all([ask(get, "/v1/models"), ask(get, "/props")]);
    if (refusesKey(listing)) return downBy(listing);
    const settings = isFine(props) ? fieldsOf(props.json) : {};
    const slots = countOf(settings.total_slots);
    // One request is left. The metrics also tell who waits, but they are there only when the server was started so.
    const load =
      settings.endpoint_metrics === true
        ? readMetrics(await ask(get, "/metrics"), slots)
        : readSlots(await ask(get, "/slots"), slots);
    return ready({ load, models: readModels(listing, settings), version: textOf(settings.build_info) });
  },

  async recognise(get) {
    const listing = await ask(get, "/v1/models");
    const server = listing.headers.server;
    const name = Array.isArray(server) ? server[0] : server;
    const rows = readListing(listing) ?? [];
    return name?.startsWith("llama.cpp") || (rows.length > 0 && rows.every(({ ownedBy }) => ownedBy === "llamacpp"));
  },
};

/** Of tool_choice only the words are read, and a tool's name counts as `auto`: the one tool is offered, and required. */
function namedToolAsRequired(request: RequestView): RequestEdits {
  const named = request.endpoint === "chat_completions" ? namedTools(request) : undefined;
  if (named === undefined) return {};
  const others = named.length < itemsOf(request.body.tools).length;
  return { tool_choice: '"required"', ...(others ? { tools: { keep: named } } : {}) };
}

function saysLoading({ text }: ProbeAnswer): boolean {
  return text.slice(0, 1000).toLowerCase().includes("loading model");
}

/** Older versions answer 503 on `/health` when every slot is taken. Busy is not down. */
function saysFull({ status, text }: ProbeAnswer): boolean {
  return status === 503 && text.slice(0, 1000).toLowerCase().includes("no slot available");
}

function readModels(
  listing: ProbeAnswer,
  settings: Readonly<Record<string, unknown>>,
): readonly ListedModel[] | undefined {
  const own = countOf(fieldsOf(settings.default_generation_settings).n_ctx);
  return readListing(listing)?.map(({ id, row }) => {
    // A server that routes to several models says of each whether it is loaded; else there is one, and it is.
    const state = textOf(fieldsOf(row.status).value);
    const context = countOf(fieldsOf(row.meta).n_ctx) ?? (state === undefined ? own : undefined);
    const aliases = itemsOf(row.aliases).filter((alias) => typeof alias === "string" && alias !== id) as string[];
    return {
      id,
      loaded: state === undefined ? settings.is_sleeping !== true : state === "loaded",
      ...(context === undefined || context === 0 ? {} : { context }),
      ...(aliases.length === 0 ? {} : { aliases: aliases.slice(0, 20) }),
    };
  });
}

function readMetrics(answer: ProbeAnswer, slots: number | undefined): Load | undefined {
  const samples = isFine(answer) ? readPrometheusText(answer.text, metricNames) : [];
  return loadOf({
    running: sumOf(samples, RUNNING),
    waiting: sumOf(samples, WAITING),
    kvUse: maxOf(samples, KV_USE),
    slots,
  });
}

/** `/slots` answers 501 when it is switched off, and 401 to a stranger: then the number of slots is all there is. */
function readSlots(answer: ProbeAnswer, total: number | undefined): Load | undefined {
  if (!isFine(answer) || !Array.isArray(answer.json))
    return loadOf({ slots: total, running: undefined, waiting: undefined, kvUse: undefined });
  const slots = answer.json.map(fieldsOf).filter((slot) => typeof slot.is_processing === "boolean");
  if (slots.length === 0) return undefined;
  const running = slots.filter((slot) => slot.is_processing === true).length;
  return loadOf({ running, slots: total ?? slots.length, waiting: undefined, kvUse: undefined });
}
