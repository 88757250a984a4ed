/** The text is made once for each millisecond: much is written down in the same one. */
let last = { ms: Number.NaN, text: "" };

/** A moment in milliseconds since 1970 as `2026-11-21T19:04:11.312Z`. */
export function isoTime(ms: number): string {
  if (ms !== last.ms) last = { ms, text: new Date(ms).toISOString() };
  return last.text;
}
