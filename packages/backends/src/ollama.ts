import { type ErrorRule, readErrorWith } from "./error-table.ts";
import { countOf, fieldsOf, itemsOf, textOf } from "./json-fields.ts";
import type { BackendKind, ListedModel, RequestEdits } from "./kind.ts";
import { limitAsMaxTokens } from "./limit-as-max-tokens.ts";
import { readListing } from "./model-listing.ts";
import { namedTools } from "./named-tools.ts";
import { ask, down, downBy, isFine, type ProbeAnswer, ready } from "./probe-answer.ts";

const errors: readonly ErrorRule[] = [
  {
    meaning: "busy",
    status: [500, 503],
    message: ["server busy, please try again", "maximum pending requests exceeded"],
  },
  // "... does not support tools", "... chat", "... thinking": the same request may suit another model's engine.
  { meaning: "model_missing", status: [400, 500], message: ["does not support", "try pulling it first"] },
  {
    meaning: "context_length",
    status: [400, 500],
    message: ["exceeded max context length", "exceeds maximum context"],
  },
];

/** Owners in `/v1/models` of other engines that answer some of Ollama's paths too. */
const otherOwners = new Set(["sglang", "vllm", "llamacpp"]);

/** Ollama, by its OpenAI-compatible endpoints. */
export const ollama: BackendKind = {
  title: "Ollama",
  defaultPort: 11434,
  paths: { chat_completions: "/v1/chat/completions", completions: "/v1/completions", embeddings: "/v1/embeddings" },
  sampling: {},
  streamsUsage: true,
  concurrent: true,
  reasoningHistory: "reasoning",
  readError: readErrorWith(errors),

  editRequest(request) {
    const { endpoint, body } = request;
    if (endpoint === "embeddings") return {};
    const edits: RequestEdits = { ...limitAsMaxTokens(request) };
    // Zero means "no limit" here. One token is the least that can be asked for, and what other engines make of zero.
    if ((edits.max_tokens ?? String(body.max_tokens)) === "0") edits.max_tokens = "1";
    // tool_choice is not read: a model that must not call a tool must not see it.
    if (body.tool_choice === "none" && itemsOf(body.tools).length > 0) edits.tools = undefined;
    const named = namedTools(request);
    if (named !== undefined && named.length < itemsOf(body.tools).length) edits.tools = { keep: named };
    return edits;
  },

  async probe(get) {
    const version = await ask(get, "/api/version");
    if (!isFine(version)) return downBy(version);
    const number = textOf(fieldsOf(version.json).version);
    if (number === undefined) return down("no version in the answer on /api/version: not Ollama");
    const [tags, running] = await Promise.all([ask(get, "/api/tags"), ask(get, "/api/ps")]);
    return ready({ version: number, models: readModels(tags, running) });
  },

  async recognise(get) {
    const version = await ask(get, "/api/version");
    if (!isFine(version) || textOf(fieldsOf(version.json).version) === undefined) return false;
    const rows = readListing(await ask(get, "/v1/models"));
    return rows?.every(({ ownedBy }) => ownedBy !== undefined && !otherOwners.has(ownedBy)) ?? false;
  },
};

/** All pulled models; those that `/api/ps` names are in memory. */
function readModels(tags: ProbeAnswer, running: ProbeAnswer): readonly ListedModel[] | undefined {
  if (!isFine(tags)) return undefined;
  const { models } = fieldsOf(tags.json);
  if (!Array.isArray(models) && models !== null) return undefined;
  const warm = readRunning(running);
  const ids = new Set(
    itemsOf(models)
      .map(nameOf)
      .filter((name) => name !== undefined),
  );
  return [...ids].slice(0, 1000).map((id) => {
    // The context of a model that is not loaded is decided when it loads: what its file allows is not what it gets.
    const context = warm?.get(id);
    return {
      id,
      ...(warm === undefined ? {} : { loaded: warm.has(id) }),
      ...(context === undefined ? {} : { context }),
      ...(id.endsWith(":latest") ? { aliases: [id.slice(0, -":latest".length)] } : {}),
    };
  });
}

/** Name -> context of the models in memory; undefined when `/api/ps` does not say. */
function readRunning(answer: ProbeAnswer): ReadonlyMap<string, number | undefined> | undefined {
  if (!isFine(answer)) return undefined;
  const { models } = fieldsOf(answer.json);
  if (!Array.isArray(models) && models !== null) return undefined;
  const warm = new Map<string, number | undefined>();
  for (const model of itemsOf(models)) {
    const name = nameOf(model);
    if (name !== undefined) warm.set(name, countOf(fieldsOf(model).context_length));
  }
  return warm;
}

function nameOf(model: unknown): string | undefined {
  const { name, model: id } = fieldsOf(model);
  const found = textOf(name) ?? textOf(id);
  return found !== undefined && found.length <= 256 ? found : undefined;
}
