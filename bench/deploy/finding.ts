/** One thing that was looked at. */
export interface Finding {
  readonly what: string;
  /** Undefined = it could not be looked at here; `seen` says why. */
  readonly ok: boolean | undefined;
  readonly seen: string;
}
