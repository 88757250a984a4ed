import type { Endpoint, ReasoningPlace } from "@signalbox/protocol";

/** Simple questions go to a small model; the order is from easy to hard. */
export const complexities = ["simple", "moderate", "complex"] as const;
export type Complexity = (typeof complexities)[number];

export const comparisons = ["<", "<=", "==", ">=", ">"] as const;
/** `"< 2k"` in the file: an operator and a number (tokens), or a place in the order (complexity). */
export interface Comparison<T> {
  readonly op: (typeof comparisons)[number];
  readonly value: T;
}

/** A rule's `when`: every key given must hold (AND). Text lists mean "one of"; `*` at an end is a wildcard. */
export interface Condition {
  readonly team?: readonly string[];
  /** The model name as the client asked for it. */
  readonly model?: readonly string[];
  readonly complexity?: Comparison<Complexity>;
  /** Estimated tokens of the prompt. */
  readonly tokens?: Comparison<number>;
  readonly has_tools?: boolean;
  readonly has_images?: boolean;
  readonly json_schema?: boolean;
  /** Lower-case header name -> allowed values. */
  readonly header?: Readonly<Record<string, readonly string[]>>;
  readonly any?: readonly Condition[];
  readonly not?: Condition;
}

export interface Rule {
  readonly when: Condition;
  /** The model to use. */
  readonly use: string;
  /** `routing.2`: its place in the file, or its `name`. Shown as the reason. */
  readonly label: string;
}

/** A model on a backend. */
export interface Deployment {
  /** `backend/model`, unique in the policy. */
  readonly id: string;
  readonly backend: string;
  /** The name the backend knows. */
  readonly model: string;
  /** For the `weighted` strategy; 1 unless told. */
  readonly weight: number;
  /** How the model writes tool calls and reasoning: a dialect's name, `auto`, or `none` to leave its text alone. */
  readonly dialect: string;
  /** The chat template opens the thinking, so that a reply begins inside it. */
  readonly reasoningFirst: boolean;
  /** `raw` = the backend hands on the model's text with the calls in it; `engine` = it parses them as it likes. */
  readonly toolParser: "engine" | "raw";
  /** Where the backend reads the reasoning of earlier turns; undefined = it gets what the client sent. */
  readonly reasoningHistory: ReasoningPlace | undefined;
  /** The backend goes on with a reply that another one began, where its text alone tells how. */
  readonly continuesReplies?: boolean | undefined;
  /** What is sent there leaves the house: another one's servers answer. */
  readonly hosted?: boolean | undefined;
}

/** What a model can do. Undefined = not declared: taken when the client named the model and nothing in the chain declares it. */
export interface Capabilities {
  readonly tools?: boolean | undefined;
  readonly images?: boolean | undefined;
  readonly json_schema?: boolean | undefined;
  readonly embeddings?: boolean | undefined;
}

/** A virtual model: what clients and rules name. */
export interface Model {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly deployments: readonly Deployment[];
  readonly strategy: string;
  /** Tokens of prompt and reply together; undefined = not known. */
  readonly context: number | undefined;
  readonly capabilities: Capabilities;
  /** Models to try, in order, when this one cannot answer. */
  readonly fallback: readonly string[];
  /** JSON text of request fields that a client's own values override, e.g. `{ temperature: "1" }`. */
  readonly defaults: Readonly<Record<string, string>>;
  /** While it has no room, requests of at most this complexity go to another model that has; undefined = none does. */
  readonly whenSaturated?: { readonly use: string; readonly complexity: Complexity } | undefined;
  /** So long the reasoning of replies with tool calls is kept for clients that do not send it back; undefined = it is not. */
  readonly rememberReasoningMs?: number | undefined;
  /** After so long without content another backend is asked beside the first; undefined = it never is. */
  readonly hedgeAfterMs?: number | undefined;
  /** A stream that broke may be asked for anew, if what comes begins with what was sent. */
  readonly restartsStreams?: boolean | undefined;
  /** A stream that broke may be recovered in some way: restarted, or continued by one of the deployments. */
  readonly recoversStreams?: boolean | undefined;
  /** All its deployments are hosted, and have been taken out: it cannot be chosen. */
  readonly barred?: boolean | undefined;
}

/** The routing part of a config, checked and resolved. Immutable: a reload makes a new one. */
export interface Policy {
  readonly models: ReadonlyMap<string, Model>;
  /** Alias -> model name. */
  readonly aliases: ReadonlyMap<string, string>;
  /** What `auto` means; first match wins. Empty = there is no `auto`. */
  readonly rules: readonly Rule[];
  /** Scores in [0, 1] from which a request is moderate, and complex. */
  readonly thresholds: { readonly moderate: number; readonly complex: number };
}

/** What is known of a request before it is routed. */
export interface RequestFacts {
  readonly endpoint: Endpoint;
  readonly team: string;
  /** The model as the client asked for it. */
  readonly model: string;
  readonly body: Readonly<Record<string, unknown>>;
  /** The request's headers; only names that some rule reads are looked up. Lower-case. */
  header(name: string): string | undefined;
  /** Size of the body in bytes. */
  readonly bytes: number;
}
