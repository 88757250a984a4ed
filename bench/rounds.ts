/** The middle of some numbers; the mean of the two middle ones where their count is even. NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** What was measured of each contender: one number a round, in the order of the rounds. */
export type Figures<Name extends string> = Partial<Record<Name, readonly number[]>>;

/**
 * Measures every contender once a round, one after the other, so that whatever changes on the machine between rounds
 * meets all of them alike. Prints each round as it ends.
 */
export async function interleave<Name extends string>(
  rounds: number,
  names: readonly Name[],
  measure: (name: Name) => Promise<number>,
): Promise<Record<Name, number[]>> {
  const figures = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<Name, number[]>;
  for (let round = 1; round <= rounds; round++) {
    for (const name of names) figures[name].push(await measure(name));
    console.log(`  round ${round}   ${names.map((name) => `${name} ${figures[name].at(-1)!.toFixed(1)}`).join("   ")}`);
  }
  return figures;
}

/**
 * How many times dearer one is than the other: the median of the ratios of single rounds. Two measurements of one round
 * are seconds apart, so a machine that slows down for a while hardly moves it; a ratio of medians may compare different minutes.
 */
export function ratioOf(dearer: readonly number[], yardstick: readonly number[]): number {
  return median(dearer.map((value, round) => value / yardstick[round]!));
}

/** A line that says whether a figure keeps its limit. */
export function verdict(name: string, value: number, limit: number, unit = ""): string {
  const result = value <= limit ? "PASS" : "FAIL";
  return `${result}  ${name} ${value.toFixed(2)}${unit}, at most ${limit}${unit}`;
}

/** Columns as wide as their widest cell; the first to the left, the others to the right. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
      .join("   ");
  return rows.map((row) => `  ${line(row)}`).join("\n");
}
