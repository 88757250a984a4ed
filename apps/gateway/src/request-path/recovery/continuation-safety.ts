import type { Stretch } from "./sent-reply.ts";

/** What is known of a reply that broke, when it is to be continued. */
export interface BrokenReply {
  /** The request's members as the engine got them: the client's, and the model's defaults for what it left out. */
  readonly members: Readonly<Record<string, unknown>>;
  /** All that was sent, in order. */
  readonly sent: readonly Stretch[];
  /** Text or a call was held back when it broke: what has come is not what was sent. */
  readonly held: boolean;
  /** Tokens that the engines counted so far; undefined = nobody did. */
  readonly tokens: number | undefined;
  /** The client is to be told the usage. */
  readonly tellsUsage: boolean;
}

interface Rule {
  /** Why such a reply is not continued. */
  readonly why: string;
  holds(reply: BrokenReply): boolean;
}

const isAbsent = (value: unknown): boolean => value === undefined || value === null;
const isOneOf = (...values: readonly unknown[]) => {
  return (value: unknown): boolean => isAbsent(value) || values.includes(value);
};
const anything = (): boolean => true;

/**
 * Members under which each token is drawn from the text so far alone, so that an engine which is given the text goes on
 * as the first one would have. A member that is not here may bind the engine to what it has written by itself.
 */
const statelessMembers: Readonly<Record<string, (value: unknown) => boolean>> = {
  model: anything,
  messages: anything,
  stream: anything,
  stream_options: anything,
  user: anything,
  metadata: anything,
  store: anything,
  service_tier: anything,
  safety_identifier: anything,
  prompt_cache_key: anything,
  cache_salt: anything,
  priority: anything,
  temperature: anything,
  top_p: anything,
  top_k: anything,
  min_p: anything,
  logit_bias: anything,
  stop: anything,
  stop_token_ids: anything,
  ignore_eos: anything,
  max_tokens: anything,
  max_completion_tokens: anything,
  chat_template_kwargs: anything,
  reasoning_effort: anything,
  tools: anything,
  tool_choice: anything,
  parallel_tool_calls: anything,
  n: isOneOf(1),
  best_of: isOneOf(1),
  logprobs: isOneOf(false),
  top_logprobs: isOneOf(0),
  min_tokens: isOneOf(0),
  frequency_penalty: isOneOf(0),
  presence_penalty: isOneOf(0),
  repetition_penalty: isOneOf(1),
  echo: isOneOf(false),
  skip_special_tokens: isOneOf(true),
  add_generation_prompt: isOneOf(true),
  continue_final_message: isOneOf(false),
  use_beam_search: isOneOf(false),
  seed: isAbsent,
};

const choiceMembers = ["n", "best_of", "use_beam_search"];
const penaltyMembers = ["frequency_penalty", "presence_penalty", "repetition_penalty"];
const grammarMembers =
  /^(response_format|structured_outputs|guided_.*|regex|ebnf|json_schema|grammar|structural_tag|choice)$/;

/** Does a member say what a continuation could not keep to? */
function binds(members: BrokenReply["members"], names: readonly string[]): boolean {
  return names.some((name) => statelessMembers[name]?.(members[name]) === false);
}

function bindsToForm(name: string, value: unknown): boolean {
  if (isAbsent(value) || !grammarMembers.test(name)) return false;
  return name !== "response_format" || (value as { type?: unknown }).type !== "text";
}

function isUnknown(name: string, value: unknown): boolean {
  if (isAbsent(value) || name === "response_format") return false;
  return !Object.hasOwn(statelessMembers, name) || statelessMembers[name]!(value) === false;
}

function isForced(choice: unknown): boolean {
  return choice === "required" || (typeof choice === "object" && choice !== null);
}

/** Does the request, or a default, end in a message that the reply was to go on with? */
function isPrefilled({ messages, continue_final_message, add_generation_prompt }: BrokenReply["members"]): boolean {
  const last = Array.isArray(messages) ? (messages.at(-1) as { role?: unknown } | undefined) : undefined;
  return last?.role === "assistant" || continue_final_message === true || add_generation_prompt === false;
}

const textOf = ({ sent }: BrokenReply): string => sent.at(-1)?.text ?? "";

/** Tokens that the client allows the reply; undefined = as many as there is room for. */
function tokenLimit({ max_tokens, max_completion_tokens }: BrokenReply["members"]): number | undefined {
  const limits = [max_tokens, max_completion_tokens].filter((limit) => typeof limit === "number");
  return limits.length === 0 ? undefined : Math.min(...limits);
}

function stopsOf({ stop }: BrokenReply["members"]): readonly string[] {
  if (typeof stop === "string") return [stop];
  return Array.isArray(stop) ? stop.filter((one) => typeof one === "string") : [];
}

/** Could a stop text begin in what was sent and end in what comes? The engine of the rest would not see its beginning. */
function endsInsideStop(text: string, stop: string): boolean {
  for (let length = Math.min(stop.length - 1, text.length); length > 0; length--) {
    if (text.endsWith(stop.slice(0, length))) return true;
  }
  return false;
}

/**
 * Older chat templating finds where the last message ends by the last place where its text stands in the prompt: a text
 * like «end» stands in `<|im_end|>` as well. No mark of a turn's end is so long or has a space in its midst.
 */
const LONGEST_MARK = 24;
const isLikeMark = (text: string): boolean => text.length < LONGEST_MARK && !/\S[ \n]+\S/.test(text);

/**
 * Texts that a template cuts out of a message, or a tokenizer reads as a mark of its own: thoughts, ends and beginnings of
 * turns. Written by the model letter by letter, they would come back as something else.
 */
const marks =
  /<\/?[\w:]{0,20}(think|reasoning|thought)[\w:]{0,20}>|<[|｜][^\s<>]{1,60}>|<\/?(s|bos|eos|pad|unk|sep|cls|mask|(start|end)_of_\w{1,20})>|\[\/?[A-Z_]{3,20}\]|◁\/?think▷/i;

/**
 * What makes it unsafe to let another engine go on with a text, in the order in which it is looked for; the first that
 * holds is told. A reply is continued where none does: then the rest is drawn as the first engine would have drawn it.
 */
export const continuationRules = {
  reasoning: {
    why: "a thought was begun: engines take a message's reasoning away, or put it elsewhere",
    holds: ({ sent }) => sent.some(({ kind }) => kind === "reasoning"),
  },
  no_text: {
    why: "there is no text to go on from",
    holds: (reply) => textOf(reply).trim() === "",
  },
  held_back: {
    why: "what may be a tool call was begun",
    holds: ({ held }) => held,
  },
  replacement_character: {
    why: "U+FFFD stands where the engine wrote bytes that are not known",
    holds: (reply) => textOf(reply).includes("\ufffd"),
  },
  like_a_mark: {
    why: "a short text may be found in the mark that ends a turn, and the prompt be cut there",
    holds: (reply) => isLikeMark(textOf(reply).trim()),
  },
  marks: {
    why: "a part of the text may be read as a thought, or as a mark of the tokenizer",
    holds: (reply) => marks.test(textOf(reply)),
  },
  prefill: {
    why: "the client's own message is being continued",
    holds: ({ members }) => isPrefilled(members),
  },
  several_choices: {
    why: "each choice would have to be continued by itself",
    holds: ({ members }) => binds(members, choiceMembers),
  },
  form: {
    why: "a grammar holds for a whole reply: its engine would begin anew in the midst of it",
    holds: ({ members }) => Object.entries(members).some(([name, value]) => bindsToForm(name, value)),
  },
  forced_call: {
    why: "a call is to come, which the engine's grammar expects at the beginning",
    holds: ({ members }) => isForced(members.tool_choice),
  },
  penalty: {
    why: "it is counted over what an engine has written by itself",
    holds: ({ members }) => binds(members, penaltyMembers),
  },
  seed: {
    why: "the same seed is to give the same reply; two engines draw another one",
    // The most likely token is the same without any draw.
    holds: ({ members }) => !isAbsent(members.seed) && members.temperature !== 0,
  },
  member: {
    why: "the request has a member of which it is not known what the engine binds to it",
    holds: ({ members }) => Object.entries(members).some(([name, value]) => name !== "seed" && isUnknown(name, value)),
  },
  inside_stop: {
    why: "the text ends with the beginning of a stop text",
    holds: (reply) => stopsOf(reply.members).some((stop) => endsInsideStop(textOf(reply), stop)),
  },
  uncounted: {
    why: "tokens are limited, or to be told, and nobody has counted those so far",
    holds: ({ members, tokens, tellsUsage }) =>
      tokens === undefined && (tellsUsage || tokenLimit(members) !== undefined),
  },
  at_limit: {
    why: "no token is left of those that the client allows",
    holds: ({ members, tokens = 0 }) => tokens >= (tokenLimit(members) ?? Number.POSITIVE_INFINITY),
  },
} as const satisfies Record<string, Rule>;

export type UnsafeReason = keyof typeof continuationRules;

/** Why a reply that broke must not be continued by another engine; undefined = it may. Pure. */
export function unsafeToContinue(reply: BrokenReply): UnsafeReason | undefined {
  for (const [name, rule] of Object.entries(continuationRules)) {
    if (rule.holds(reply)) return name as UnsafeReason;
  }
  return undefined;
}
