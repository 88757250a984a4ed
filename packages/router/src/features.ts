import type { Endpoint } from "@signalbox/protocol";
import { type Assessment, classify, defaultThresholds, type Thresholds } from "./classifier.ts";
import { hasCodingTools, isCodingAgentPrompt } from "./coding-agent.ts";
import { estimateTokens } from "./estimate-tokens.ts";
import type { RequestFacts } from "./policy.ts";
import { lengthOf, type Messages, readMessages } from "./read-messages.ts";

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
  return new LiveFeatures(facts, thresholds);
}

// A class: each request makes one, and an object literal with getters would get a hidden class of its own every time.
class LiveFeatures implements Features {
  readonly endpoint: Endpoint;
  readonly team: string;
  readonly model: string;
  readonly tokens: number;
  readonly contextTokens: number;
  readonly maxTokens: number | undefined;
  readonly hasTools: boolean;
  readonly needsTools: boolean;
  readonly hasImages: boolean;
  readonly jsonSchema: boolean;
  readonly toolLoop: boolean;
  assessment: Assessment | undefined = undefined;
  readonly #facts: RequestFacts;
  readonly #thresholds: Thresholds;
  readonly #messages: Messages;
  readonly #inputs: readonly string[];
  readonly #tools: readonly unknown[] | undefined;
  #codingAgent: boolean | undefined;

  constructor(facts: RequestFacts, thresholds: Thresholds) {
    const { body, endpoint } = facts;
    const messages = readMessages(body);
    const inputs = readInputs(body);
    const tools = nonEmptyList(body.tools) ?? nonEmptyList(body.functions);
    let chat = Math.ceil(
      messages.images * TOKENS_PER_IMAGE +
        messages.count * TOKENS_PER_MESSAGE +
        (lengthOf(tools) + lengthOf(body.response_format)) / JSON_CHARS_PER_TOKEN,
    );
    for (const text of messages.texts) chat += estimateTokens(text);
    this.#facts = facts;
    this.#thresholds = thresholds;
    this.#messages = messages;
    this.#inputs = inputs.texts;
    this.#tools = tools;
    this.endpoint = endpoint;
    this.team = facts.team;
    this.model = facts.model;
    this.tokens = chat + inputs.tokens;
    this.contextTokens = chat + inputs.longest;
    this.maxTokens =
      endpoint === "embeddings" ? undefined : (number(body.max_completion_tokens) ?? number(body.max_tokens));
    this.hasTools = tools !== undefined;
    this.needsTools = this.hasTools && body.tool_choice !== "none";
    this.hasImages = messages.images > 0;
    this.jsonSchema = asksForJson(body);
    this.toolLoop = this.hasTools && messages.usedTools;
  }

  get codingAgent(): boolean {
    this.#codingAgent ??= isCodingAgentPrompt(this.#messages.systemPrompt) || hasCodingTools(this.#tools);
    return this.#codingAgent;
  }

  header(name: string): string | undefined {
    return this.#facts.header(name);
  }

  complexity(): Assessment {
    this.assessment ??= classify(
      {
        userTurns: this.endpoint === "chat_completions" ? this.#messages.userTurns : this.#inputs,
        systemLength: this.#messages.systemPrompt.length,
        offersTools: this.hasTools,
        hasImages: this.hasImages,
        jsonSchema: this.jsonSchema,
        toolLoop: this.toolLoop,
        codingAgent: this.codingAgent,
      },
      this.#thresholds,
    );
    return this.assessment;
  }
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
