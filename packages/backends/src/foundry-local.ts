import { type ErrorRule, readErrorWith } from "./error-table.ts";
import { foundryAliases } from "./foundry-model-id.ts";
import { fieldsOf, itemsOf, textOf } from "./json-fields.ts";
import type { BackendKind, DiscoverTools, Get, ListedModel } from "./kind.ts";
import { readListing } from "./model-listing.ts";
import { ask, down, downBy, isFine, type ProbeAnswer, ready } from "./probe-answer.ts";

const errors: readonly ErrorRule[] = [
  // Loading is a command of its own here: to ask again does not load it, another deployment may have it.
  { meaning: "model_missing", status: [400], message: ["model not loaded", "must be loaded before inference"] },
  { meaning: "context_length", status: [400, 500], message: [">= max_length", "exceeds max length"], as: 400 },
];

/** Tried in this order: the command of 0.x, and that of later versions. */
const statusCommands: readonly (readonly string[])[] = [
  ["foundry", "service", "status"],
  ["foundry", "server", "status", "--output", "json"],
];

const MAX_STATUS_TEXT = 65_536;
const MAX_ADDRESSES = 8;

/** Foundry Local's service: the C++ one of 1.x and later, and the one of 0.x. */
export const foundryLocal: BackendKind = {
  title: "Foundry Local",
  defaultPort: undefined,
  paths: { chat_completions: "/v1/chat/completions", embeddings: "/v1/embeddings" },
  sampling: {},
  streamsUsage: true,
  // Before 1.0. A stream that breaks has no `[DONE]` either. https://github.com/microsoft/Foundry-Local/issues/299
  omitsFinishReason: true,
  concurrent: false,
  reasoningHistory: "drop",
  readError: readErrorWith(errors),

  editRequest({ endpoint, body }) {
    // `{"type": "text"}` is the default and says nothing, but this service takes it as "call no tools".
    const saysText = fieldsOf(body.response_format).type === "text";
    return endpoint === "chat_completions" && saysText && itemsOf(body.tools).length > 0
      ? { response_format: undefined }
      : {};
  },

  async probe(get) {
    const { generation, answer } = await askStatus(get);
    if (generation === undefined) {
      return isFine(answer)
        ? down(`no service status in the answer on ${answer.path}: not Foundry Local`)
        : downBy(answer);
    }
    const [listing, loaded] = await Promise.all([ask(get, "/v1/models"), ask(get, loadedPaths[generation])]);
    return ready({ models: readModels(listing, loaded) });
  },

  recognise: async (get) => (await askStatus(get)).generation !== undefined,
  discover,
};

type Generation = "service" | "agent";

const loadedPaths: Readonly<Record<Generation, string>> = { service: "/models/loaded", agent: "/openai/loadedmodels" };

/** Which generation answers here; undefined when neither does, with the answer that says why. */
async function askStatus(get: Get): Promise<{ generation: Generation | undefined; answer: ProbeAnswer }> {
  const status = await ask(get, "/status");
  if (saysStatus(status, "modelcachepath")) return { generation: "service", answer: status };
  if (status.status === undefined) return { generation: undefined, answer: status };
  const older = await ask(get, "/openai/status");
  if (saysStatus(older, "modeldirpath")) return { generation: "agent", answer: older };
  return { generation: undefined, answer: older.status === 404 ? status : older };
}

/** Both name their endpoints and their model folder; letter case differs between versions. */
function saysStatus(answer: ProbeAnswer, folder: string): boolean {
  if (!isFine(answer)) return false;
  const body = new Map(Object.entries(fieldsOf(answer.json)).map(([key, value]) => [key.toLowerCase(), value]));
  return Array.isArray(body.get("endpoints")) && typeof body.get(folder) === "string";
}

/** `/v1/models` lists the whole catalog, loaded or not; in 0.x it may be missing, and the loaded ones are all we know. */
function readModels(listing: ProbeAnswer, answer: ProbeAnswer): readonly ListedModel[] | undefined {
  const loaded = readLoaded(answer);
  const listed = readListing(listing)?.map(({ id }) => id);
  if (listed === undefined && loaded === undefined) return undefined;
  const ids = new Set([...(loaded ?? []), ...(listed ?? [])]);
  return [...ids].map((id) => ({
    id,
    aliases: foundryAliases(id),
    ...(loaded === undefined ? {} : { loaded: loaded.has(id) }),
  }));
}

function readLoaded(answer: ProbeAnswer): ReadonlySet<string> | undefined {
  if (!isFine(answer) || !Array.isArray(answer.json)) return undefined;
  return new Set(
    answer.json
      .map(textOf)
      .filter((id) => id !== undefined && id.length <= 256)
      .slice(0, 1000) as string[],
  );
}

async function discover({ run, get, command }: DiscoverTools): Promise<string | undefined> {
  for (const argv of command === undefined ? statusCommands : [command]) {
    const output = await run(argv).catch(() => "");
    for (const base of loopbackAddresses(output)) {
      // The port may have gone to another program since: nothing is sent to what is not Foundry Local.
      const { generation } = await askStatus((path) => get(base + path));
      if (generation !== undefined) return base;
    }
  }
  return undefined;
}

/** The `http` addresses in a text that are on this host's loopback, as `http://host:port`, at most 8, each once. */
export function loopbackAddresses(text: string): readonly string[] {
  const found = new Set<string>();
  for (const [address] of text.slice(0, MAX_STATUS_TEXT).matchAll(/http:\/\/[\w.:@%[\]/-]{1,300}/g)) {
    if (!URL.canParse(address)) continue;
    const { hostname, origin, port, username, password } = new URL(address);
    if (username !== "" || password !== "" || port === "") continue;
    if (hostname === "localhost" || hostname === "[::1]" || /^127(?:\.\d{1,3}){3}$/.test(hostname)) found.add(origin);
    if (found.size >= MAX_ADDRESSES) break;
  }
  return [...found];
}
