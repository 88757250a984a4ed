import type { Endpoint, ReasoningPlace, UpstreamError } from "@signalbox/protocol";

/** What an engine says of its own load; undefined = it does not say. */
export interface Load {
  /** Requests being worked on now. */
  readonly running?: number;
  /** Requests waiting in the engine's own queue. */
  readonly waiting?: number;
  /** Share of the KV cache in use, 0 to 1. */
  readonly kvUse?: number;
  /** Requests the engine can work on at once. */
  readonly slots?: number;
}

/** One model as the engine lists it. */
export interface ListedModel {
  /** The name to send in a request. */
  readonly id: string;
  /** Tokens, where the engine tells. */
  readonly context?: number;
  /** Loaded in memory now, so that a request starts at once; undefined where the kind cannot tell. */
  readonly loaded?: boolean;
  /** Other names that this engine's users know it by (Foundry's alias, Ollama's name without `:latest`). */
  readonly aliases?: readonly string[];
}

/** What a probe found. A probe is GET only and generates no token. */
export type Probe =
  | {
      readonly status: "ready";
      readonly load?: Load;
      readonly models?: readonly ListedModel[];
      readonly version?: string;
    }
  | { readonly status: "loading"; readonly reason: string }
  | { readonly status: "down"; readonly reason: string };

/** A GET on the backend: resolves for every status, rejects (TransportError) when there is no answer. Body at most 1 MiB. */
export type Get = (path: string) => Promise<GetResponse>;
export interface GetResponse {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly text: string;
}

/**
 * A change to the request's top-level JSON members, made by splicing bytes: key -> its new value as JSON text, the
 * elements of a list to keep, or undefined to remove it. What is not named stays as the client sent it, byte for byte.
 */
export type RequestEdits = Record<string, string | KeptElements | undefined>;

/** Of a list, only the elements at these indexes stay. */
export interface KeptElements {
  readonly keep: readonly number[];
}

/** What a kind may look at to make its edits: the parsed body, never changed in place. */
export interface RequestView {
  readonly endpoint: Endpoint;
  readonly body: Readonly<Record<string, unknown>>;
}

/** How tokens are drawn, as far as OpenAI has no field for it. */
export const ownSampling = ["top_k", "min_p", "repetition_penalty"] as const;

/** Everything that Signalbox knows of one kind of engine. Pure: the network comes in as `get`. */
export interface BackendKind {
  /** As people write it: `SGLang`. */
  readonly title: string;
  /** Where the engine listens by default; undefined when there is no such port, or it changes at every start. */
  readonly defaultPort: number | undefined;
  /** What is sent to such a backend leaves the house, unless the config says otherwise. */
  readonly hosted?: boolean;
  /** Path of each endpoint; a missing one is not offered by this kind. */
  readonly paths: Readonly<Partial<Record<Endpoint, string>>>;
  /** Sent with every request, e.g. vLLM's `endpoint-load-metrics-format`. */
  readonly requestHeaders?: Readonly<Record<string, string>>;
  /**
   * The members of `ownSampling` that the engine reads, with the name it has for each. A model's defaults for others are
   * not sent there: strict servers refuse what they do not know.
   */
  readonly sampling: Readonly<Partial<Record<(typeof ownSampling)[number], string>>>;
  /** The engine's request quirks: fields it reads under another name, or refuses. Mostly nothing. */
  editRequest?(request: RequestView): RequestEdits;
  /**
   * The edits, besides those of `editRequest`, that make the engine hand on the model's text with the calls still in
   * it (`tool_parser: raw`). Missing = it has no raw mode.
   */
  editRawRequest?(request: RequestView): RequestEdits;
  /** Where the engine reads the reasoning of earlier turns; missing = not known, it gets what the client sent. */
  readonly reasoningHistory?: ReasoningPlace;
  /**
   * Members that make the engine go on with the last message of a chat, which is the assistant's, instead of beginning
   * another (`continue_final_message: true`). Missing = it has no such thing.
   */
  readonly continuation?: Readonly<Record<string, string>>;
  /** Tells in each event of a stream how many tokens there are so far, when asked with `stream_options.continuous_usage_stats`. */
  readonly countsTokens?: boolean;
  /** Sends a usage chunk in streams when asked with `stream_options.include_usage`. */
  readonly streamsUsage: boolean;
  /** The engine ends a good stream with `[DONE]` and no finish_reason. */
  readonly omitsFinishReason?: boolean;
  /** May be started with another reply under way at the same time; false = one at a time (`max_concurrent` defaults to 1). */
  readonly concurrent: boolean;
  /** Reads an error answer (4xx or 5xx, or an error object under 200 or in a stream). `body` is at most 64 KiB. */
  readError(answer: {
    readonly status: number;
    readonly headers: Record<string, string | string[] | undefined>;
    readonly body: string;
  }): UpstreamError;
  /** Is it there, is it ready, how busy is it, which models has it? GET only, zero tokens, at most 4 requests. */
  probe(get: Get): Promise<Probe>;
  /** Is what answers at this address this kind? For `scan`. False when anything else answers. */
  recognise(get: Get): Promise<boolean>;
  /** Load that rides on an ordinary response's headers. */
  loadFromHeaders?(headers: Record<string, string | string[] | undefined>): Load | undefined;
  /** For a kind whose address changes: where is it now? A base URL without a path, always on this host; undefined = not found. */
  discover?(tools: DiscoverTools): Promise<string | undefined>;
}

/** What a kind may use to find its engine again. */
export interface DiscoverTools {
  /** Runs a program without a shell and gives its standard output; rejects when it cannot be run or fails. */
  run(command: readonly string[]): Promise<string>;
  /** GETs a whole URL. */
  get(url: string): Promise<GetResponse>;
  /** The command that prints the address, from the config (never from a request); the kind's own ones when not given. */
  readonly command?: readonly string[] | undefined;
}
