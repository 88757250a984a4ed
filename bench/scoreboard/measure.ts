/** How a measure is to be made. */
interface MeasureOptions {
  /** `full` gives the number that counts; `short` shows in a few seconds that the measure works. */
  readonly size: "short" | "full";
  /** The same seed makes the same requests, faults and order. */
  readonly seed: number;
  /** A line for who watches. */
  say(line: string): void;
}

/** What was measured. */
export interface Figure {
  /** In the unit of the measure's target. */
  readonly value: number;
  /** Is the target kept, with all that belongs to it? */
  readonly ok: boolean;
  /** More of what was seen, for the JSON file. */
  readonly details: Readonly<Record<string, unknown>>;
}

/** One number of the scoreboard. */
export interface Measure {
  readonly title: string;
  /** What the number must be, in words. */
  readonly target: string;
  /** @throws Error when it could not be measured. Leaves no process, socket or file behind. */
  run(options: MeasureOptions): Promise<Figure>;
}
