import type { Endpoint } from "@signalbox/protocol";
import { type Assessment, classify, defaultThresholds, type Thresholds } from "./classifier.ts";
import { hasCodingTools, isCodingAgentPrompt } from "./coding-agent.ts";
import { estimateTokens } from "./estimate-tokens.ts";
import type { RequestFacts } from "./policy.ts";
import { lengthOf, readMessages } from "./read-messages.ts";

/** What rules and filters look at. What costs time is found out when it is first asked for. */
export interface Features {
  readonly endpoint: Endpoint;
  readonly team: string;
  /** The model as the client asked for it. */
  readonly model: string;
  /** Estimated tokens of everything that is sent: messages, tools, images. */
  readonly tokens: number;
  /** What must fit into a context at once: for a list of inputs, the longest; otherwise `tokens`. */
  readonly contextTokens: number;
  /** Tokens of the reply that the client allows; undefined = it does not say. */
  readonly maxTokens: number | undefined;
  /** Tools are offered. */
  readonly hasTools: boolean;
  /** Tools are offered and may be used (`tool_choice` is not `none`). */
  readonly needsTools: boolean;
  readonly hasImages: boolean;
  /** The answer must be JSON, with or without a schema. */
  readonly jsonSchema: boolean;
  /** Tools are offered and the conversation has calls or results. */
  readonly toolLoop: boolean;
  /** The system prompt or the tools are a coding agent's. */
  readonly codingAgent: boolean;
  header(name: string): string | undefined;
  /** Classified once, when a rule first asks. */
  complexity(): Assessment;
  /** The classification, if anyone has asked. */
  readonly assessment: Assessment | undefined;
}

/** Characters per token of JSON; tools are not walked letter by letter. */
const JSON_CHARS_PER_TOKEN = 3.5;
/** What an image costs in common vision models, give or take a half. */
const TOKENS_PER_IMAGE = 800;
/** Role, separators and the like. */
const TOKENS_PER_MESSAGE = 4;

/** Reads a request's features. O(n) in its text, under 1 ms up to 100 KB. Takes any body: what has the wrong form is not there. */
export function readFeatures(facts: RequestFacts, thresholds: Thresholds = defaultThresholds): Features {
  const { body, endpoint, team, model } = facts;
  const messages = readMessages(body);
  const tools = nonEmptyList(body.tools) ?? nonEmptyList(body.functions);
  const hasTools = tools !== undefined;
  const inputs = readInputs(body);
  const jsonSchema = asksForJson(body);
  const toolLoop = hasTools && messages.usedTools;
  const maxTokens =
    endpoint === "embeddings" ? undefined : (number(body.max_completion_tokens) ?? number(body.max_tokens));
  const fixed =
    messages.images * TOKENS_PER_IMAGE +
    messages.count * TOKENS_PER_MESSAGE +
    (lengthOf(tools) + lengthOf(body.response_format)) / JSON_CHARS_PER_TOKEN;
  const chat = messages.texts.reduce((sum, text) => sum + estimateTokens(text), 0) + Math.ceil(fixed);
  let assessment: Assessment | undefined;
  let codingAgent: boolean | undefined;
  return {
    endpoint,
    team,
    model,
    tokens: chat + inputs.tokens,
    contextTokens: chat + inputs.longest,
    maxTokens,
    hasTools,
    needsTools: hasTools && body.tool_choice !== "none",
    hasImages: messages.images > 0,
    jsonSchema,
    toolLoop,
    get codingAgent() {
      codingAgent ??= isCodingAgentPrompt(messages.systemPrompt) || hasCodingTools(tools);
      return codingAgent;
    },
    get assessment() {
      return assessment;
    },
    header: (name) => facts.header(name),
    complexity() {
      assessment ??= classify(
        {
          userTurns: endpoint === "chat_completions" ? messages.userTurns : inputs.texts,
          systemLength: messages.systemPrompt.length,
          offersTools: hasTools,
          hasImages: messages.images > 0,
          jsonSchema,
          toolLoop,
          codingAgent: this.codingAgent,
        },
        thresholds,
      );
      return assessment;
    },
  };
}

/** `prompt` of completions and `input` of embeddings: a text, texts, token ids, or lists of token ids. */
function readInputs(body: Readonly<Record<string, unknown>>): { tokens: number; longest: number; texts: string[] } {
  const value = body.prompt ?? body.input;
  const isTokenIds = Array.isArray(value) && typeof value[0] === "number";
  const inputs = typeof value === "string" || isTokenIds ? [value] : Array.isArray(value) ? value : [];
  let tokens = 0;
  let longest = 0;
  for (const input of inputs) {
    const size = typeof input === "string" ? estimateTokens(input) : Array.isArray(input) ? input.length : 0;
    tokens += size;
    longest = Math.max(longest, size);
  }
  return { tokens, longest, texts: inputs.filter((input) => typeof input === "string") };
}

function asksForJson(body: Readonly<Record<string, unknown>>): boolean {
  const format = body.response_format;
  if (typeof format !== "object" || format === null) return false;
  const { type } = format as { type?: unknown };
  return type === "json_schema" || type === "json_object";
}

function nonEmptyList(value: unknown): readonly unknown[] | undefined {
  return Array.isArray(value) && value.length > 0 ? value : undefined;
}

function number(value: unknown): number | undefined {
  return typeof value === "number" && value >= 0 ? value : undefined;
}
