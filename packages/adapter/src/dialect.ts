import type { Answer, Cursor } from "./cursor.ts";
import type { ToolSet } from "./tools.ts";

/** What a grammar may do with the block that it reads. */
export interface Block {
  readonly tools: ToolSet;
  /** The envelope is weak: only a declared name makes a call. */
  readonly weak: boolean;
  /** At the end of the input: the model ended by itself, so that missing closers may be put right. */
  readonly repairs: boolean;
  /** May this be the name of a call? From then on a block that breaks counts as a failed call. */
  accepts(name: string): boolean;
  /** A call is complete. It is handed out with `commit`, or when the grammar ends well. */
  call(
    name: string,
    json: string,
    how?: { readonly id?: string | undefined; readonly repaired?: boolean; readonly coerced?: boolean },
  ): void;
  /** Hands out the calls so far, and forgets what was read: if the block breaks, only what follows is text again. */
  commit(): void;
  /** Text at the end of what was read, which an envelope has a channel for. Commits what is in front of it. */
  content(text: string): void;
  reasoning(text: string): void;
  /** Whitespace in front of the block goes with it. */
  trim(): void;
}

/**
 * Reads one block behind its opening literal: a generator that yields when it needs more input, and returns whether the
 * block was good. When it was not, the cursor stands where the fault is, and all before it is text again. It must not
 * yield at the end of the input more than the cursor asks for (`MORE` never comes then).
 */
export type Grammar = (read: Cursor, block: Block) => Generator<undefined, boolean, undefined>;

/**
 * Looks at a text without moving: may a block begin at `at`? What opens it, if a literal does, ends at `behind`. Bounded: it
 * asks for `MORE` only within the length of a name.
 */
export type Lookahead = (text: string, at: number, tools: ToolSet, ended: boolean, behind: number) => Answer;

/**
 * Where a block may begin:
 * - `anywhere` in prose
 * - `edge`: at the start of the content or right after a block
 * - `start` of the content, or `after` a block
 */
type Where = "anywhere" | "edge" | "start" | "after";

/** One way in which calls are written. */
export interface Envelope {
  /** The literals that open it; none = it begins where `lookahead` says, at an edge. */
  readonly opens: readonly string[];
  readonly where: Where;
  /** Only declared names make calls here: what opens it may well be ordinary text. */
  readonly weak: boolean;
  /** Its opening ends an open thought, because the model forgot to. */
  readonly endsThought: boolean;
  /** Is looked for also when the request has no tools (tokens at the end of a turn, channels). */
  readonly always: boolean;
  readonly lookahead: Lookahead | undefined;
  /** By ASCII code unit: 0 = never stands behind the literal that opens it. Spares a flood of short literals the lookahead. */
  readonly follows?: Uint8Array | undefined;
  /** Its literals are closing tags: a reply without calls that ends with one has lost the head of a call. */
  readonly isCloser: boolean;
  readonly grammar: Grammar;
  /** What people call it, where no literal says it. */
  readonly about?: string;
}

/** Declares an envelope. Strong, anywhere in prose, unless told. */
export function defineEnvelope(envelope: Pick<Envelope, "grammar"> & Partial<Omit<Envelope, "grammar">>): Envelope {
  return {
    opens: [],
    where: "anywhere",
    weak: false,
    endsThought: false,
    always: false,
    lookahead: undefined,
    isCloser: false,
    ...envelope,
  };
}

/** The tags around a thought. */
export interface ThinkTags {
  readonly open: string;
  readonly close: string;
  /** A word that the model writes right behind the opening tag. */
  readonly label?: string;
}

/** How a family of models writes tool calls and thoughts, and what people need to know of it. */
export interface Dialect {
  /** As people write it. */
  readonly title: string;
  /** Other names for it, as engines have them. */
  readonly aliases: readonly string[];
  /** Models that write it. */
  readonly models: readonly string[];
  readonly envelopes: readonly Envelope[];
  readonly thinks: readonly ThinkTags[];
  /** One call as the model writes it, for people. Its tool is `get_weather`, with the argument `city`. */
  readonly example: string;
  /** What engines are known to do wrong with it. */
  readonly faults: readonly string[];
}
