import { CodeSpans, stopsFor } from "./code-spans.ts";
import { isSpace } from "./cursor.ts";
import type { Envelope, ThinkTags } from "./dialect.ts";
import { LiteralSet, PARTIAL } from "./literals.ts";
import type { Openings } from "./openings.ts";

interface Found {
  /** How far the thought was read. */
  readonly at: number;
  readonly closed?: boolean;
  /** An envelope that ends the thought begins at `at`, with a literal of this length. */
  readonly envelope?: Envelope | undefined;
  readonly length: number;
}

const CLOSE = Symbol("close");

/** The thought of one choice: trims its edges, swallows doubled opening tags, and finds its end. */
export class Thought {
  readonly #openings: Openings;
  readonly #emit: (text: string) => void;
  #ends: LiteralSet<Envelope | typeof CLOSE>;
  /** Where it shows code: what would end it there is an example. Followed only if something other than its tag could end it. */
  #spans: CodeSpans | undefined;
  /** Tags of which a doubled one is swallowed, as long as nothing but whitespace was read. */
  #doubled: readonly string[] = [];
  #blank = true;
  /** Reasoning was handed out in this choice. */
  #begun = false;
  #space = "";
  /** The engine has split it off: its text is handed on as it is. */
  #split = false;

  constructor(openings: Openings, emit: (text: string) => void) {
    this.#openings = openings;
    this.#emit = emit;
    this.#ends = new LiteralSet<Envelope | typeof CLOSE>([]);
  }

  /** Begins a thought: with these tags, or, when the opening tag was in the prompt, with any of the dialect's. */
  begin(tags: ThinkTags | undefined): void {
    const thinks = tags === undefined ? this.#openings.thinks : [tags];
    this.#ends = endsOf(this.#openings, thinks);
    this.#spans = this.#openings.endsThought.length > 0 ? new CodeSpans() : undefined;
    this.#doubled = thinks.flatMap(({ open, label }) => (label === undefined ? [open] : [open, label]));
    this.#blank = true;
    this.#split = false;
  }

  /** Begins, or goes on with, a thought that the engine has split off. */
  beginSplit(): void {
    if (this.#split) return;
    this.#ends = endsOf(this.#openings, []);
    this.#spans = this.#openings.endsThought.length > 0 ? new CodeSpans() : undefined;
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
    let followed = at;
    const { firsts, hasWide } = this.#ends;
    for (; at < text.length; at++) {
      const code = text.charCodeAt(at);
      if (code < 128 ? firsts[code] === 0 : !hasWide) continue;
      const found = this.#ends.match(text, at, ended);
      if (found === undefined) continue;
      this.#spans?.read(text, followed, at, NOWHERE);
      followed = at;
      if (found !== PARTIAL && found.value !== CLOSE && this.#spans?.isCode(code)) continue;
      this.add(text.slice(from, at));
      if (found === PARTIAL) return { at, length: 0 };
      const { length } = found.literal;
      return found.value === CLOSE ? { at: at + length, closed: true, length } : { at, envelope: found.value, length };
    }
    this.#spans?.read(text, followed, at, NOWHERE);
    this.add(text.slice(from));
    return { at, length: 0 };
  }

  /** Steps over whitespace and doubled opening tags. As long as it cannot tell whether they are over, the thought stays blank. */
  #skipBlank(text: string, ended: boolean): number {
    let at = 0;
    for (;;) {
      const from = at;
      while (at < text.length && isSpace(text.charCodeAt(at))) at++;
      if (this.#begun) this.#space += text.slice(from, at);
      const doubled = this.#doubled.find((open) => text.startsWith(open, at));
      if (doubled === undefined) break;
      at += doubled.length;
    }
    const tail = text.slice(at);
    this.#blank = tail === "" || (!ended && this.#doubled.some((open) => open.startsWith(tail)));
    return at;
  }

  /** Hands out thought; whitespace at its end waits for more of it. */
  add(text: string): void {
    if (this.#split) {
      if (text !== "") this.#emit(text);
      return;
    }
    let last = text.length;
    while (last > 0 && isSpace(text.charCodeAt(last - 1))) last--;
    if (last === 0) {
      if (this.#begun) this.#space += text;
      return;
    }
    const own = last === text.length ? text : text.slice(0, last);
    this.#emit(this.#space === "" ? own : this.#space + own);
    this.#begun = true;
    this.#space = text.slice(last);
  }

  /** The end of a thought; `held` is what was held back of it. */
  end(held: string): void {
    if (held !== "") this.add(held);
    this.#blank = true;
    this.#split = false;
  }
}

const NOWHERE = stopsFor(new Uint8Array(128));

const kept = new WeakMap<Openings, Map<string, LiteralSet<Envelope | typeof CLOSE>>>();

function endsOf(openings: Openings, thinks: readonly ThinkTags[]): LiteralSet<Envelope | typeof CLOSE> {
  const key = thinks.map(({ close }) => close).join(" ");
  let sets = kept.get(openings);
  if (sets === undefined) kept.set(openings, (sets = new Map()));
  let set = sets.get(key);
  if (set === undefined) {
    const closes = thinks.map(({ close }) => [close, CLOSE] as const);
    sets.set(key, (set = new LiteralSet<Envelope | typeof CLOSE>([...closes, ...openings.endsThought])));
  }
  return set;
}
