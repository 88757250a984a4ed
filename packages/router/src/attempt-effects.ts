import type { Permit, Unfit } from "./backend-state.ts";
import type { Model } from "./policy.ts";
import type { Candidate } from "./strategy.ts";

/** What a walk may choose from, asked for each model just before it is tried. */
export interface Choice {
  /** Fit now, best first. */
  readonly fit: readonly Candidate[];
  /** Not fit by the evidence at hand, but better than nothing; best first. */
  readonly panic: readonly Candidate[];
  /** Not to be tried, and why. */
  readonly refused: readonly { readonly deployment: { readonly backend: string }; readonly why: Unfit }[];
}

/** What a walk needs from outside. */
export interface WalkEffects {
  now(): number;
  random(): number;
  choose(model: Model): Choice;
  /** May one more attempt be made, by the retry budget of all traffic? */
  takeRetry(): boolean;
  /** The attempt that was granted last is not made after all. */
  giveBackRetry(): void;
  /** Milliseconds until one of the chain's backends may be worth a try. */
  retryInMs(): number;
}

/** What the attempt loop needs from outside. */
export interface AttemptEffects<T> extends WalkEffects {
  /** Resolves after `ms`, or at once when the request is aborted. */
  sleep(ms: number): Promise<void>;
  /** Calls `ring` after `ms`, unless what it returns is called before. */
  startTimer(ms: number, ring: () => void): () => void;
  /** Sends the request and resolves at the first content; throws AttemptFailure before that. `permit` is to hear of life. */
  open(candidate: Candidate, model: Model, permit: Pick<Permit, "alive">): Promise<T>;
  /** As `open`, where another attempt may run beside it: it can be given up. */
  openRival(candidate: Candidate, model: Model, permit: Pick<Permit, "alive">): Rival<T>;
  /** Milliseconds that an attempt on this model may show nothing before another runs beside it; undefined = it runs alone. */
  hedgeAfterMs(model: Model): number | undefined;
}

/** An attempt that can be given up. */
export interface Rival<T> {
  readonly reply: Promise<T>;
  /** Closes its connection at once; what it has told of itself counts for nothing, and nor does what `reply` comes to. */
  withdraw(): void;
}
