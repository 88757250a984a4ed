/** How long a run's faults last: the real limits, or a tenth of them. */
export interface Profile {
  readonly name: "fast" | "full";
  /** A time of the real profile, in milliseconds, as this one has it. */
  ms(real: number): number;
  /** For amounts that a tenth does not fit. */
  pick<Value>(fast: Value, full: Value): Value;
}

/** All times divided by ten. */
export const fast: Profile = { name: "fast", ms: (real) => real / 10, pick: (value) => value };
/** Times as the fault matrix has them. */
export const full: Profile = { name: "full", ms: (real) => real, pick: (_, value) => value };
