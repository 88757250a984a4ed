import { readFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { type Endpoint, GatewayError, requestSchemas } from "@signalbox/protocol";
import { autoModel, type Decision, decide, type Model } from "@signalbox/router";
import type { Config } from "../config/config.ts";
import { openTeam } from "../teams/keys.ts";
import { type Command, type Flags, UsageError } from "./command.ts";
import { configFlag, jsonFlag } from "./common-flags.ts";
import { readConfig } from "./serve.ts";

const flags = {
  ...configFlag,
  prompt: { type: "string", value: "TEXT", meaning: "One user message. This or `--request` is given." },
  model: {
    type: "string",
    value: "NAME",
    meaning: "The model name as a client sends it; `auto`, or the request's, unless given.",
  },
  tools: { type: "boolean", default: false, meaning: "The request offers a tool." },
  "max-tokens": { type: "string", value: "N", meaning: "The request's `max_tokens`." },
  request: {
    type: "string",
    value: "FILE",
    meaning: "A whole request body as JSON, of chat completions, completions or embeddings.",
  },
  team: { type: "string", value: "T", meaning: "The team that asks; one that may use everything unless given." },
  header: { type: "string", multiple: true, value: "NAME=VALUE", meaning: "A header of the request." },
  ...jsonFlag,
} as const satisfies Flags;

/** A request to be explained, as the gateway would get it. */
export interface AskedRequest {
  readonly endpoint: Endpoint;
  readonly body: Readonly<Record<string, unknown>> & { readonly model: string };
  readonly headers: Readonly<Record<string, string>>;
  /** Undefined = a team that may use everything. */
  readonly team: string | undefined;
}

/** Where a request would go and why, as `--json` prints it. */
export interface Explanation {
  readonly model: string;
  readonly reason: string;
  readonly complexity: string;
  readonly score: number;
  /** What made the score. */
  readonly signals: readonly string[];
  /** Estimated tokens of the prompt. */
  readonly tokens: number;
  readonly reasons: readonly string[];
  /** The model and its fallbacks, in the order of trying. */
  readonly chain: readonly ExplainedModel[];
}

interface ExplainedModel {
  readonly model: string;
  readonly strategy: string;
  readonly context: number | null;
  readonly candidates: readonly {
    readonly backend: string;
    readonly kind: string;
    readonly url: string;
    readonly model: string;
    readonly hosted: boolean;
  }[];
}

/** `signalbox explain`: the routing decision for one request; nothing is sent anywhere. */
export const explain: Command = {
  summary: "say where a request would go, and why",
  usage:
    "explain [--config FILE] (--prompt TEXT [--model auto] [--tools] [--max-tokens N] | --request FILE) [--team T] [--header NAME=VALUE] [--json]",
  flags,
  exits: {
    0: "the request has a model to go to",
    1: "the gateway would refuse it, with the error that is printed; or the policy file has errors",
  },
  async run(args) {
    const { values } = parseArgs({ args, options: flags });
    const { body, endpoint } =
      values.request === undefined ? bodyOf(values) : await readBody(values.request, values.model);
    const config = await readConfig(values.config);
    if (config === undefined) return 1;
    try {
      const asked = { body, endpoint, team: knownTeam(config, values.team), headers: headersOf(values.header ?? []) };
      const explanation = explainRequest(config, asked);
      console.log(values.json ? JSON.stringify(explanation, null, 2) : formatExplanation(body.model, explanation));
      return 0;
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      const { status, code, message } = error;
      if (values.json) console.log(JSON.stringify({ error: { status, code, message } }, null, 2));
      else console.log(`${body.model} -> ${status} ${code}\n  ${message}`);
      return 1;
    }
  },
};

/**
 * Decides on a request as the gateway would, before it looks at which backends are up.
 * @throws GatewayError as `decide` does, and `invalid_request` for a body that the gateway would refuse.
 */
export function explainRequest(config: Config, asked: AskedRequest): Explanation {
  const { endpoint, body, headers, team } = asked;
  const checked = requestSchemas[endpoint].safeParse(body);
  if (!checked.success) {
    const { path, message } = checked.error.issues[0]!;
    throw new GatewayError("invalid_request", `${path.map(String).join(".")}: ${message}`);
  }
  const bytes = Buffer.byteLength(JSON.stringify(body));
  const header = (name: string): string | undefined => (Object.hasOwn(headers, name) ? headers[name] : undefined);
  const facts = { endpoint, team: team ?? openTeam.name, model: body.model, body, bytes, header };
  const decision = decide(
    config.privacy.policyOf(team),
    facts,
    team === undefined ? undefined : config.teams?.get(team)?.models,
  );
  return describe(config, decision);
}

function describe(config: Config, decision: Decision): Explanation {
  const { model, reason, reasons, tokens, chain, features } = decision;
  const { complexity, score, reasons: signals } = features.complexity();
  return {
    model: model.name,
    reason,
    complexity,
    score: Math.round(score * 100) / 100,
    signals,
    tokens,
    reasons,
    chain: chain.map((one) => describeModel(config, one)),
  };
}

function describeModel(config: Config, { name, strategy, context, deployments }: Model): ExplainedModel {
  const candidates = deployments.map(({ backend, model }) => {
    const { kind, url, hosted } = config.backends.get(backend)!;
    return { backend, kind, url, model, hosted };
  });
  return { model: name, strategy, context: context ?? null, candidates };
}

/** What `signalbox explain` prints for people. */
export function formatExplanation(asked: string, explanation: Explanation): string {
  const { model, reason, complexity, score, signals, tokens, reasons, chain } = explanation;
  const width = Math.max(...chain.flatMap(({ candidates }) => candidates.map(({ backend }) => backend.length)));
  const lines = [
    asked === model ? model : `${asked} -> ${model}`,
    `  decision    ${reason}`,
    `  complexity  ${complexity}, score ${score.toFixed(2)}${signals.length > 0 ? ` (${signals.join("; ")})` : ""}`,
    `  tokens      about ${tokens} in the prompt`,
    "  why",
    ...reasons.map((each) => `    - ${each}`),
    "  tried in this order, as far as they are up",
    ...chain.flatMap(({ model, strategy, context, candidates }, index) => [
      `    ${index + 1}. ${model} (${strategy}${context === null ? "" : `, context ${context}`})`,
      ...candidates.map(
        ({ backend, kind, url, model, hosted }) =>
          `         ${backend.padEnd(width)}  ${kind} at ${url}${hosted ? " (hosted)" : ""}: ${model}`,
      ),
    ]),
  ];
  return lines.join("\n");
}

interface BodyOptions {
  readonly model?: string | undefined;
  readonly prompt?: string | undefined;
  readonly tools: boolean;
  readonly "max-tokens"?: string | undefined;
}

type Asked = Pick<AskedRequest, "body" | "endpoint">;

function bodyOf({ model = autoModel, prompt, tools, "max-tokens": limit }: BodyOptions): Asked {
  if (prompt === undefined) throw new UsageError("explain needs --prompt TEXT or --request FILE");
  const maxTokens = limit === undefined ? undefined : Number(limit);
  if (maxTokens !== undefined && !(Number.isInteger(maxTokens) && maxTokens > 0)) {
    throw new UsageError(`--max-tokens needs a whole number, not «${limit}»`);
  }
  const tool = { type: "function", function: { name: "example", parameters: { type: "object", properties: {} } } };
  const body = {
    model,
    messages: [{ role: "user", content: prompt }],
    ...(tools && { tools: [tool] }),
    ...(maxTokens !== undefined && { max_tokens: maxTokens }),
  };
  return { endpoint: "chat_completions", body };
}

/** A request body from a file; which endpoint it is for shows in its fields. `model` of the command line wins. */
async function readBody(path: string, model: string | undefined): Promise<Asked> {
  let read: unknown;
  try {
    read = JSON.parse(await readFile(path, "utf8"));
  } catch (error) {
    throw new UsageError(`${path}: ${error instanceof SyntaxError ? "is not JSON" : (error as Error).message}`);
  }
  if (typeof read !== "object" || read === null || Array.isArray(read)) {
    throw new UsageError(`${path}: expected the JSON object of a request body`);
  }
  const fields = read as Record<string, unknown>;
  const named = model ?? fields.model ?? autoModel;
  if (typeof named !== "string") throw new UsageError(`${path}: model: expected a text`);
  const endpoint = "messages" in fields ? "chat_completions" : "input" in fields ? "embeddings" : "completions";
  return { endpoint, body: { ...fields, model: named } };
}

function knownTeam(config: Config, team: string | undefined): string | undefined {
  if (team === undefined || config.teams?.has(team)) return team;
  const names = config.teams === undefined ? "none: it is open" : [...config.teams.keys()].join(", ");
  throw new UsageError(`there is no team «${team}» in the config (${names})`);
}

function headersOf(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.search(/[=:]/);
      if (at < 1) throw new UsageError(`--header needs NAME=VALUE, not «${pair}»`);
      return [pair.slice(0, at).trim().toLowerCase(), pair.slice(at + 1).trim()];
    }),
  );
}
