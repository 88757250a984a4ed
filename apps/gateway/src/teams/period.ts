/** Calendar periods by UTC; a week begins on Monday. */
export type Every = "day" | "week" | "month";

const DAY_MS = 86_400_000;

/** The period that a moment (milliseconds since 1970) is in: from `start` up to, not including, `end`. */
export function periodAt(ms: number, every: Every): { readonly start: number; readonly end: number } {
  const day = Math.floor(ms / DAY_MS);
  if (every === "month") {
    const date = new Date(ms);
    const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()];
    return { start: Date.UTC(year, month, 1), end: Date.UTC(year, month + 1, 1) };
  }
  // The first day of 1970 was a Thursday.
  const first = every === "week" ? day - ((day + 3) % 7) : day;
  return { start: first * DAY_MS, end: (first + (every === "week" ? 7 : 1)) * DAY_MS };
}
