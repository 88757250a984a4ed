import { type Stops, stopsFor } from "./code-spans.ts";
import type { Dialect, Envelope, ThinkTags } from "./dialect.ts";
import { bareJson } from "./grammars/bare.ts";
import { type Literal, LiteralSet } from "./literals.ts";

/** What a parser looks for, and where. Made once per dialect and use, by `openingsOf`. */
export interface Openings {
  /** In the midst of prose. */
  readonly anywhere: LiteralSet<Envelope | ThinkTags>;
  /** Where to look for them. */
  readonly stops: Stops;
  /** At the start of the content. */
  readonly start: LiteralSet<Envelope | ThinkTags>;
  /** Right after a block. */
  readonly after: LiteralSet<Envelope | ThinkTags>;
  /** Inside a thought: what ends it other than its closing tag. */
  readonly endsThought: readonly Literal<Envelope>[];
  /** Envelopes that no literal opens; at edges. */
  readonly unlabelled: readonly Envelope[];
  readonly thinks: readonly ThinkTags[];
  /** Closing tags of calls. */
  readonly closers: readonly string[];
  /** Calls are looked for. */
  readonly extract: boolean;
}

const kept = new WeakMap<Dialect, Map<string, Openings>>();

/**
 * What to look for in a reply of `dialect`; without `extract` (no tools, or none may be called) thoughts alone. `bare`: the
 * calls may come as bare JSON, whatever the dialect says.
 */
export function openingsOf(dialect: Dialect, extract: boolean, bare = false): Openings {
  const uses = kept.get(dialect) ?? new Map<string, Openings>();
  kept.set(dialect, uses);
  const use = `${extract} ${bare}`;
  const whole = bare ? { ...dialect, envelopes: [...dialect.envelopes, bareJson] } : dialect;
  const openings = uses.get(use) ?? createOpenings(whole, extract);
  uses.set(use, openings);
  return openings;
}

function createOpenings({ envelopes, thinks }: Dialect, extract: boolean): Openings {
  const wanted = envelopes.filter(({ always }) => extract || always);
  const at = (...places: readonly Envelope["where"][]) =>
    literalsOf(wanted.filter(({ where }) => places.includes(where)));
  const thoughts = thinks.map((tags) => [tags.open, tags] as const);
  const anywhere = new LiteralSet<Envelope | ThinkTags>(at("anywhere"));
  return {
    anywhere,
    stops: stopsFor(anywhere),
    start: new LiteralSet<Envelope | ThinkTags>([...at("anywhere", "edge", "start"), ...thoughts]),
    after: new LiteralSet<Envelope | ThinkTags>([...at("anywhere", "edge", "after"), ...thoughts]),
    endsThought: literalsOf(wanted.filter(({ endsThought }) => endsThought)),
    unlabelled: wanted.filter(({ opens }) => opens.length === 0),
    thinks,
    closers: extract ? closersOf(wanted, thinks) : [],
    extract,
  };
}

function closersOf(envelopes: readonly Envelope[], thinks: readonly ThinkTags[]): string[] {
  const closers = envelopes.filter(({ isCloser }) => isCloser).flatMap(({ opens }) => opens);
  return closers.filter((closer) => thinks.every(({ close }) => close !== closer));
}

function literalsOf(envelopes: readonly Envelope[]): Literal<Envelope>[] {
  return envelopes.flatMap((envelope) => envelope.opens.map((open) => [open, envelope, envelope.follows] as const));
}
