/** How a measure is to be taken. */
interface MeasureOptions {
  /** The size that the target speaks of; without it a smaller one of the same kind. */
  readonly full: boolean;
  /** Of everything random. */
  readonly seed: number;
}

/** What a measure saw. */
interface Reading {
  /** The number. */
  readonly value: number;
  readonly unit: string;
  /** It keeps the target. */
  readonly ok: boolean;
  /** What a reader should know of it; what was wrong, if anything. */
  readonly details: readonly string[];
}

/** One row of the scoreboard. */
export interface Measure {
  /** How it is called on the command line, as its file. */
  readonly name: string;
  readonly title: string;
  readonly target: string;
  run(options: MeasureOptions): Promise<Reading>;
}
