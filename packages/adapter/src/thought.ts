import { CodeSpans, nowhere, type Stops, stopsFor } from "./code-spans.ts";
import { isSpace } from "./cursor.ts";
import type { Envelope, ThinkTags } from "./dialect.ts";
import { LiteralSet, PARTIAL } from "./literals.ts";
import type { Openings } from "./openings.ts";
import { surplusOf } from "./surplus-space.ts";

interface Found {
  /** How far the thought was read. */
  readonly at: number;
  readonly closed?: boolean;
  /** An envelope that ends the thought begins at `at`, with a literal of this length. */
  readonly envelope?: Envelope | undefined;
  readonly length: number;
}

const CLOSE = Symbol("close");

/** What ends a thought. */
interface Ends {
  readonly anywhere: LiteralSet<Envelope | typeof CLOSE>;
  /** A call in code is an example. */
  readonly inCode: LiteralSet<typeof CLOSE>;
  readonly stops: Stops;
}

/** Takes what comes of a thought. */
interface ThoughtSink {
  reasoning(text: string): void;
  /** A tag of the thought. */
  consumed?(raw: string): void;
}

/** The thought of one choice: trims its edges, swallows doubled opening tags, and finds its end. */
export class Thought {
  readonly #openings: Openings;
  readonly #sink: ThoughtSink;
  #ends: Ends;
  /** Where it shows code. */
  #spans = new CodeSpans();
  /** Tags of which a doubled one is swallowed, as long as nothing but whitespace was read. */
  #doubled: readonly string[] = [];
  #blank = true;
  /** Reasoning was handed out in this choice. */
  #begun = false;
  #space = "";
  /** The engine has split it off: its text is handed on as it is. */
  #split = false;

  constructor(openings: Openings, sink: ThoughtSink) {
    this.#openings = openings;
    this.#sink = sink;
    this.#ends = endsOf(openings, []);
  }

  /** Reasoning was handed out in this choice. */
  get begun(): boolean {
    return this.#begun;
  }

  /** Begins a thought: with these tags, or, when the opening tag was in the prompt, with any of the dialect's. */
  begin(tags: ThinkTags | undefined): void {
    const thinks = tags === undefined ? this.#openings.thinks : [tags];
    this.#ends = endsOf(this.#openings, thinks);
    this.#spans = new CodeSpans();
    this.#doubled = thinks.flatMap(({ open, label }) => (label === undefined ? [open] : [open, label]));
    this.#blank = true;
    this.#split = false;
  }

  /** Begins, or goes on with, a thought that the engine has split off. */
  beginSplit(): void {
    if (this.#split) return;
    this.#ends = endsOf(this.#openings, []);
    this.#spans = new CodeSpans();
    this.#doubled = [];
    this.#blank = false;
    this.#begun = true;
    this.#split = true;
  }

  /** Reads on. What is behind `at` of the answer was not read: it waits for more, or is not the thought's. */
  read(text: string, ended: boolean): Found {
    let at = this.#blank ? this.#skipBlank(text, ended) : 0;
    if (this.#blank) return { at, length: 0 };
    const from = at;
    const { anywhere, inCode, stops } = this.#ends;
    for (;;) {
      at = this.#spans.read(text, at, text.length, stops);
      if (at === text.length) break;
      const found = (this.#spans.inCode ? inCode : anywhere).match(text, at, ended);
      if (found === undefined) {
        at++;
        this.#spans.step();
        continue;
      }
      this.#add(text.slice(from, at));
      if (found === PARTIAL) return { at, length: 0 };
      const { value, literal } = found;
      if (value !== CLOSE) return { at, envelope: value, length: literal.length };
      this.#sink.consumed?.(literal);
      return { at: at + literal.length, closed: true, length: literal.length };
    }
    this.#add(text.slice(from));
    return { at, length: 0 };
  }

  /** Steps over whitespace and doubled opening tags. As long as it cannot tell whether they are over, the thought stays blank. */
  #skipBlank(text: string, ended: boolean): number {
    let at = 0;
    for (;;) {
      const from = at;
      while (at < text.length && isSpace(text.charCodeAt(at))) at++;
      if (this.#begun) this.#hold(text.slice(from, at));
      const doubled = this.#doubled.find((open) => text.startsWith(open, at));
      if (doubled === undefined) break;
      this.#sink.consumed?.(doubled);
      at += doubled.length;
    }
    const tail = text.slice(at);
    this.#blank = tail === "" || (!ended && this.#doubled.some((open) => open.startsWith(tail)));
    return at;
  }

  /** Takes text in which nothing ends the thought. */
  take(text: string): void {
    this.#spans.read(text, 0, text.length, nowhere);
    this.#add(text);
  }

  /** Hands out thought; whitespace at its end waits for more of it. */
  #add(text: string): void {
    if (this.#split) {
      if (text !== "") this.#sink.reasoning(text);
      return;
    }
    let last = text.length;
    while (last > 0 && isSpace(text.charCodeAt(last - 1))) last--;
    if (last > 0) {
      let first = 0;
      while (!this.#begun && isSpace(text.charCodeAt(first))) first++;
      const own = text.slice(first, last);
      this.#sink.reasoning(this.#space === "" ? own : this.#space + own);
      this.#begun = true;
      this.#space = "";
    }
    if (this.#begun && last < text.length) this.#hold(text.slice(last));
  }

  #hold(space: string): void {
    this.#space += space;
    const surplus = surplusOf(this.#space);
    if (surplus === 0) return;
    this.#sink.reasoning(this.#space.slice(0, surplus));
    this.#space = this.#space.slice(surplus);
  }

  /** The end of a thought; `held` is what was held back of it. */
  end(held: string): void {
    if (held !== "") this.#add(held);
    this.#blank = true;
    this.#split = false;
  }
}

const kept = new WeakMap<Openings, Map<string, Ends>>();

function endsOf(openings: Openings, thinks: readonly ThinkTags[]): Ends {
  const key = thinks.map(({ close }) => close).join(" ");
  const all = kept.get(openings) ?? new Map<string, Ends>();
  kept.set(openings, all);
  const ends = all.get(key) ?? createEnds(openings, thinks);
  all.set(key, ends);
  return ends;
}

function createEnds({ endsThought }: Openings, thinks: readonly ThinkTags[]): Ends {
  const closes = thinks.map(({ close }) => [close, CLOSE] as const);
  // Content may follow a thought that the engine has split off: no token in it is at the reply's end.
  const ends = thinks.length === 0 ? endsThought.filter(([, { always }]) => !always) : endsThought;
  const anywhere = new LiteralSet<Envelope | typeof CLOSE>([...closes, ...ends]);
  const inCode = new LiteralSet(closes);
  return { anywhere, inCode, stops: stopsFor(anywhere, inCode) };
}
