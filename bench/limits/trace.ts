/** One limit, as a policy has it. One object for one limit: what counts against it is told apart by it. */
export interface Rule {
  /** `far|requests|1s`, `keyed key 2|requests|1s`. */
  readonly id: string;
  /** Whose it is: a team's or a model's. */
  readonly owner: string;
  readonly meter: "requests" | "tokens" | "concurrent";
  readonly limit: number;
  /** 0 for `concurrent`. */
  readonly windowMs: number;
}

/** One request as its client and the engines saw it. Times by the one clock of the process that holds both. */
export interface Ask {
  readonly team: string;
  /** The limits that it counts against. */
  readonly rules: readonly Rule[];
  /** The decision was made after this. */
  readonly sentAt: number;
  /** The decision was made before this: an engine had the request, or the client had its refusal. */
  readonly decidedBy: number;
  /** Until then its answer was under way for certain. */
  readonly endedAt: number;
  /** By then it was no longer; of one that was refused, when it would have been over. */
  readonly overBy: number;
  readonly admitted: boolean;
  /** Tokens that the gateway has to hold ready for it: its estimate. */
  readonly reserved: number;
  /** Tokens that it took; of one that was refused, what it would have taken. */
  readonly used: number;
  /** Told with a refusal. */
  readonly retryAfterMs?: number;
}

/** What a request counts for, once all is known. */
export const amountOf = ({ meter }: Rule, { used }: Pick<Ask, "used">): number => (meter === "tokens" ? used : 1);
