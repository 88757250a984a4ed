import { type ErrorRule, readErrorWith } from "./error-table.ts";
import { countOf, fieldsOf, parseJson } from "./json-fields.ts";
import type { BackendKind, ListedModel, Load } from "./kind.ts";
import { listsModelsOf, readListing } from "./model-listing.ts";
import { noneInPlaceOfAuto } from "./none-in-place-of-auto.ts";
import { ask, down, downBy, isFine, loadOf, type ProbeAnswer, ready, refusesKey } from "./probe-answer.ts";
import { maxOf, readPrometheusText, type Sample, sumOf } from "./prometheus-text.ts";

const errors: readonly ErrorRule[] = [
  // A server started without a tool parser: the same model elsewhere may have one.
  {
    meaning: "model_missing",
    status: [400],
    message: ["requires --tool-call-parser", "requires --enable-auto-tool-choice"],
  },
  {
    meaning: "context_length",
    status: [400],
    message: ["cannot be greater than max_model_len", "longer than the maximum model length"],
  },
  { meaning: "busy", status: [500, 503], message: ["currently busy and cannot accept new requests"] },
];

const RUNNING = "vllm:num_requests_running";
const WAITING = "vllm:num_requests_waiting";
const KV_USE = "vllm:kv_cache_usage_perc";
const OLD_KV_USE = "vllm:gpu_cache_usage_perc";
const SLEEP_STATE = "vllm:engine_sleep_state";
const metricNames = new Set([RUNNING, WAITING, KV_USE, OLD_KV_USE, SLEEP_STATE]);

const LOAD_HEADER = "endpoint-load-metrics";

/** vLLM's OpenAI server. */
export const vllm: BackendKind = {
  title: "vLLM",
  defaultPort: 8000,
  paths: { chat_completions: "/v1/chat/completions", completions: "/v1/completions", embeddings: "/v1/embeddings" },
  requestHeaders: { "endpoint-load-metrics-format": "JSON" },
  sampling: { top_k: "top_k", min_p: "min_p", repetition_penalty: "repetition_penalty" },
  streamsUsage: true,
  countsTokens: true,
  // Renders the chat with the last message left open. It refuses the first without the second, whose default is true.
  continuation: { continue_final_message: "true", add_generation_prompt: "false" },
  concurrent: true,
  // Since January 2026; what the template calls reasoning_content is filled from it.
  reasoningHistory: "reasoning",
  readError: readErrorWith(errors),

  editRawRequest(request) {
    const edits = noneInPlaceOfAuto(request);
    return edits.tool_choice === undefined ? edits : { ...edits, skip_special_tokens: "false" };
  },

  async probe(get) {
    const health = await ask(get, "/health");
    if (!isFine(health)) return downBy(health);
    const [listing, metrics] = await Promise.all([ask(get, "/v1/models"), ask(get, "/metrics")]);
    if (refusesKey(listing)) return downBy(listing);
    const samples = isFine(metrics) ? readPrometheusText(metrics.text, metricNames) : [];
    if (isAsleep(samples)) return down("asleep until POST /wake_up");
    const load = readMetrics(samples) ?? readLoadCounter(await ask(get, "/load"));
    return ready({ load, models: readModels(listing) });
  },

  recognise: (get) => listsModelsOf("vllm", get),

  loadFromHeaders(headers) {
    const value = headers[LOAD_HEADER];
    const report = (Array.isArray(value) ? value[0] : value)?.trim();
    if (report === undefined || report.length > 4096) return undefined;
    const named = /^json\s/i.test(report) ? readJsonReport(report.slice(4)) : readTextReport(report);
    return loadOf({
      running: countOf(named.num_requests_running),
      waiting: countOf(named.num_requests_waiting),
      kvUse: countOf(named.kv_cache_usage_perc) ?? countOf(named.kv_cache_utilization),
      slots: undefined,
    });
  },
};

function readModels(listing: ProbeAnswer): readonly ListedModel[] | undefined {
  return readListing(listing)?.map(({ id, row }) => {
    const context = countOf(row.max_model_len);
    return { id, loaded: true, ...(context === undefined ? {} : { context }) };
  });
}

function readMetrics(samples: readonly Sample[]): Load | undefined {
  return loadOf({
    running: sumOf(samples, RUNNING),
    waiting: sumOf(samples, WAITING),
    kvUse: maxOf(samples, KV_USE) ?? maxOf(samples, OLD_KV_USE),
    slots: undefined,
  });
}

function isAsleep(samples: readonly Sample[]): boolean {
  const awake = samples.filter(({ name, labels }) => name === SLEEP_STATE && labels.get("sleep_state") === "awake");
  return awake.length > 0 && awake.every(({ value }) => value === 0);
}

/** `/load` counts requests only where the server was started to; elsewhere it says 0 for ever, so that 0 says nothing. */
function readLoadCounter(answer: ProbeAnswer): Load | undefined {
  if (!isFine(answer)) return undefined;
  const count = countOf(fieldsOf(answer.json).server_load);
  return count === undefined || count === 0 ? undefined : { running: count };
}

type NamedMetrics = Readonly<Record<string, unknown>>;

/** ORCA's JSON form, after the word `JSON`. */
function readJsonReport(json: string): NamedMetrics {
  return fieldsOf(fieldsOf(parseJson(json)).named_metrics);
}

/** ORCA's text form: `TEXT named_metrics.kv_cache_usage_perc=0.4, named_metrics.num_requests_waiting=2.0`. */
function readTextReport(report: string): NamedMetrics {
  const named = new Map<string, number>();
  for (const part of report.replace(/^text\s/i, "").split(",")) {
    const [name = "", value = ""] = part.split("=");
    if (value.trim() !== "") named.set(name.trim().replace(/^named_metrics\./, ""), Number(value));
  }
  return Object.fromEntries(named);
}
