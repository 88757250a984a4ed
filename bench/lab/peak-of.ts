/** What lasts from one moment to another, in milliseconds of one clock. */
interface Span {
  readonly from: number;
  readonly to: number;
}

/** The most spans that overlap at any moment; one that ends as another begins does not overlap it. */
export function peakOf(spans: readonly Span[]): number {
  const moves = spans.flatMap(({ from, to }) => [
    { at: from, by: 1 },
    { at: to, by: -1 },
  ]);
  moves.sort((one, other) => one.at - other.at || one.by - other.by);
  let now = 0;
  let peak = 0;
  for (const { by } of moves) {
    now += by;
    peak = Math.max(peak, now);
  }
  return peak;
}
