/** How a moment is written. */
export const momentForm = "a date such as 2027-01-31, or a time such as 2027-01-31T18:00:00Z";
/** How the end of a key is written on the command line. */
export const expiryForm = `a time from now such as 90d, 12h or 30m, ${momentForm}`;

const millisecondsOf = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;

/** Milliseconds since 1970 of an ISO date, which is its beginning in UTC, or of a time with its zone; undefined = anything else. */
export function parseMoment(text: string): number | undefined {
  const match = /^(\d{4}-\d{2}-\d{2})(T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2}))?$/.exec(text);
  const day = match === null ? Number.NaN : Date.parse(`${match[1]}T00:00:00Z`);
  // The 31st of a month that has none is no day; some parsers take it for the next one.
  if (Number.isNaN(day) || !new Date(day).toISOString().startsWith(match![1]!)) return undefined;
  const moment = Date.parse(text);
  return Number.isNaN(moment) ? undefined : moment;
}

/** Milliseconds of `90d`, `2w`, `12h`, `30m`, `45s`, at most ten years; undefined = anything else. */
export function parsePeriod(text: string): number | undefined {
  const match = /^(\d{1,9})([smhdw])$/.exec(text);
  if (match === null) return undefined;
  const ms = Number(match[1]) * millisecondsOf[match[2] as keyof typeof millisecondsOf];
  return ms > 0 && ms <= 3653 * millisecondsOf.d ? ms : undefined;
}

/** When something ends that is written as a moment, or as a period from `now` on; undefined = neither. */
export function parseExpiry(text: string, now: number): number | undefined {
  const period = parsePeriod(text);
  return period === undefined ? parseMoment(text) : now + period;
}
