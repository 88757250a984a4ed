import type { EngineState } from "./engine-state.ts";
import type { HttpRequest } from "./http-server.ts";

/** The inference endpoints that a simulated engine may offer. */
export type Endpoint = "chat" | "completions" | "embeddings";

/** What the head of an answer is made from. */
export interface ResponseHead {
  readonly status: number;
  readonly contentType?: string | undefined;
  /** Length of the body; undefined = chunked. */
  readonly length: number | undefined;
  /** The connection closes after this answer. */
  readonly close: boolean;
  readonly extra?: readonly (readonly [string, string])[] | undefined;
}

/** A whole answer that is not generated. */
export interface Reply {
  readonly status: number;
  readonly body: string;
  /** `application/json` when not given; empty = no content-type header. */
  readonly contentType?: string;
  readonly headers?: readonly (readonly [string, string])[];
  /** Sent as a chunked event stream in place of a body with a length. */
  readonly sse?: boolean;
}

/** One inference request, read but not judged. */
export interface InferenceRequest {
  readonly endpoint: Endpoint;
  readonly http: HttpRequest;
  readonly body: Readonly<Record<string, unknown>>;
  /** The model as asked; empty when none was. */
  readonly model: string;
  readonly stream: boolean;
  readonly includeUsage: boolean;
  /** Usage is to be told in each event of a stream. */
  readonly continuousUsage: boolean;
  /** Everything that the model is to read. */
  readonly prompt: string;
  readonly promptTokens: number;
  readonly maxTokens: number | undefined;
}

/** A tool call as the model makes it; ids are given by the kind. */
export interface ToolCall {
  readonly name: string;
  readonly arguments: string;
  readonly id: string;
}

/** One answer to a request, whole. */
export interface Choice {
  readonly index: number;
  readonly reasoning: string;
  readonly text: string;
  readonly calls: readonly ToolCall[];
  readonly finish: string;
  /** The stop sequence that ended the text. */
  readonly stop: string | undefined;
  readonly tokens: number;
}

/** What a wire format needs to write an answer down. */
export interface Turn {
  /** Random hexadecimal digits (32) that ids are cut from. */
  readonly hex: string;
  readonly alnum: string;
  readonly number: number;
  /** Unix seconds; moves on during a stream for kinds that stamp each chunk. */
  created: number;
  readonly model: string;
  readonly choices: readonly Choice[];
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly includeUsage: boolean;
  readonly requestId: string | undefined;
  /** Milliseconds spent before the first token and per token, for kinds that tell. */
  readonly firstTokenMs: number;
  readonly msPerToken: number;
}

/** JSON text before and after the JSON string of one piece of text. */
export type Template = readonly [before: string, after: string];

/** Writes one streamed answer down; every string is the JSON of one event. */
export interface StreamWire {
  /** Events before the first piece of a choice. */
  open(choice: Choice): readonly string[];
  /** `first`: nothing with content was sent for this choice yet. */
  text(choice: Choice, first: boolean): Template;
  /** Undefined = the kind does not send reasoning. */
  reasoning(choice: Choice, first: boolean): Template | undefined;
  /** The events of one whole call; `part` cuts arguments as the engine does. */
  call(choice: Choice, call: ToolCall, callIndex: number, first: boolean): readonly string[];
  finish(choice: Choice): readonly string[];
  /** The finish and the last piece of text in one event; missing = never together. */
  finishWithText?(choice: Choice): Template | undefined;
  /** After all choices. */
  close(): readonly string[];
}

/** How an engine shares its attention. */
interface Habits {
  /** When a stream is queued: headers at once, or none until a slot is free. */
  readonly queuedHeaders: "at_once" | "at_slot";
  /**
   * While a model loads. `refuse_connections`: nothing listens. `unavailable`: it listens and says so.
   * `on_first_request`: the request waits. `explicit`: refused until asked to load. `never`: always ready.
   */
  readonly loading: "refuse_connections" | "unavailable" | "on_first_request" | "explicit" | "never";
  /** The queue's bound holds only while a model loads. */
  readonly queueBoundWhileLoading?: boolean;
  /** Errors close the connection. */
  readonly closesOnError: boolean;
  readonly idleMs: number;
  readonly maxRequests: number;
  /** `created` is the time of each chunk. */
  readonly stampsChunks: boolean;
  /** Offers several choices (`n`). */
  readonly choices: boolean;
  /** `max_tokens: 0` and missing limits: what they mean. */
  readonly zeroMaxTokens: "unlimited" | "one";
  /** tool_choice is looked at. */
  readonly enforcesToolChoice: boolean;
  /** `tool_choice: none` keeps the parser out; the model sees the tools all the same, and its calls stay text. */
  readonly callsUnderNone?: boolean;
  /** What it goes on from with `continue_final_message`: the text as it is, or without whitespace at its end. */
  readonly continues: "as_is" | "trimmed" | false;
}

export type Route = (state: EngineState, request: HttpRequest) => Reply | Promise<Reply>;

/** Everything that is particular to one kind of engine on the wire. */
export interface SimulatedKind {
  readonly title: string;
  readonly defaultModels: readonly string[];
  /** Tokens. */
  readonly defaultContext: number;
  readonly defaultSlots: number;
  readonly defaultQueue: number;
  readonly habits: Habits;
  readonly paths: Readonly<Partial<Record<Endpoint, string>>>;
  /** Probe, listing and load endpoints: `GET /health`; a last segment `{name}` takes the rest of the path. */
  readonly routes: Readonly<Record<string, Route>>;
  /** Status line and headers, in this engine's order and case. */
  head(head: ResponseHead): string;
  /** Content type of an event stream. */
  readonly streamType: string;
  /** JSON string of a text, as this engine escapes. */
  escape(text: string): string;
  callId(random: () => number): string;
  /** Which of its models answers; undefined = unknown here. */
  resolveModel(state: EngineState, asked: string): string | undefined;
  /** The name in the answer; the one of the model when this is missing. */
  answerName?(model: string, asked: string): string;
  /** Thinking stays in the content as `<think>...</think>`. */
  inlinesReasoning?(model: string): boolean;
  /** Refuses a request before it is queued, in the engine's own words; undefined = goes on. */
  refuse(state: EngineState, request: InferenceRequest): Reply | undefined;
  readonly errors: {
    malformedJson(text: string): Reply;
    unknownModel(state: EngineState, asked: string): Reply;
    loading(model: string): Reply;
    overloaded(request: InferenceRequest): Reply;
    unauthorized(): Reply;
    unknownRoute(method: string, path: string): Reply;
    wrongMethod?(allow: string): Reply;
    /** Any other error in this engine's shape, for scripts and faults. */
    shape(status: number, message: string): string;
  };
  /** undefined = answers anyway (Ollama cuts the prompt in silence). */
  tooLong(state: EngineState, request: InferenceRequest): Reply | undefined;
  chat(turn: Turn): string;
  chatStream(turn: Turn): StreamWire;
  completion(turn: Turn): string;
  completionStream(turn: Turn): StreamWire;
  embeddings(model: string, vectors: readonly (readonly number[])[] | readonly string[], promptTokens: number): string;
  /** The usage in each event of a chat stream, where it was asked for with `stream_options.continuous_usage_stats`. */
  usageSoFar?(turn: Turn, completionTokens: number): string;
  /** Extra headers of a JSON answer (vLLM's load report). */
  answerHeaders?(state: EngineState, request: InferenceRequest): readonly (readonly [string, string])[];
}
