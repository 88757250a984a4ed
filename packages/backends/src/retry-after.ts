type Headers = Readonly<Record<string, string | string[] | undefined>>;

const DAY_MS = 24 * 60 * 60 * 1000;

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: DAY_MS };

/**
 * How long an answer asks us to stay away, in milliseconds, at most a day; undefined when it does not say. Reads
 * `retry-after-ms`, `retry-after` (seconds or an HTTP date) and, with a 429, `x-ratelimit-reset*` of the limits that
 * are used up. An HTTP date is measured from the answer's own `date` where it has one, so that clocks need not agree.
 * `now` is Unix time in milliseconds.
 */
export function retryAfterMs(status: number, headers: Headers, now: number): number | undefined {
  const wait =
    readMilliseconds(one(headers, "retry-after-ms")) ??
    readRetryAfter(one(headers, "retry-after"), one(headers, "date"), now) ??
    (status === 429 ? readRateLimitReset(headers, now) : undefined);
  return wait === undefined ? undefined : Math.min(DAY_MS, Math.max(0, Math.ceil(wait)));
}

function readMilliseconds(value: string | undefined): number | undefined {
  return isDecimal(value) ? Number(value) : undefined;
}

function readRetryAfter(value: string | undefined, date: string | undefined, now: number): number | undefined {
  if (value === undefined) return undefined;
  if (isDecimal(value)) return Number(value) * 1000;
  const until = readDate(value);
  if (until === undefined) return undefined;
  return until - ((date === undefined ? undefined : readDate(date)) ?? now);
}

/** The longest wait among the limits that are used up; among all of them when the answer does not say which is. */
function readRateLimitReset(headers: Headers, now: number): number | undefined {
  const waits: number[] = [];
  const usedUp: number[] = [];
  for (const name of Object.keys(headers)) {
    if (!name.startsWith("x-ratelimit-reset")) continue;
    const wait = readReset(one(headers, name) ?? "", now);
    if (wait === undefined) continue;
    waits.push(wait);
    const remaining = one(headers, name.replace("reset", "remaining"));
    if (isDecimal(remaining) && Number(remaining) === 0) usedUp.push(wait);
  }
  const chosen = usedUp.length > 0 ? usedUp : waits;
  return chosen.length === 0 ? undefined : Math.max(...chosen);
}

/** A duration (`6m0s`, `20ms`, `1.5`), Unix seconds or milliseconds, or a date. */
function readReset(value: string, now: number): number | undefined {
  if (isDecimal(value)) {
    const number = Number(value);
    if (number > 1e11) return number - now;
    return number > 1e9 ? number * 1000 - now : number * 1000;
  }
  const duration = readDuration(value);
  if (duration !== undefined) return duration;
  const until = readDate(value);
  return until === undefined ? undefined : until - now;
}

function readDuration(value: string): number | undefined {
  if (value.length > 40 || !/^(?:\d+(?:\.\d+)?(?:ms|[smhd]))+$/.test(value)) return undefined;
  let sum = 0;
  for (const [, amount, unit] of value.matchAll(/(\d+(?:\.\d+)?)(ms|[smhd])/g))
    sum += Number(amount) * unitMs[unit ?? "s"]!;
  return sum;
}

function readDate(value: string): number | undefined {
  // Date.parse takes much that is no date ("5x" is one), so a weekday or an ISO year must be there.
  if (value.length > 40 || !/^(?:[A-Z][a-z]{2,8},? |\d{4}-\d{2}-\d{2}T)/.test(value)) return undefined;
  const time = Date.parse(value);
  return Number.isNaN(time) ? undefined : time;
}

function isDecimal(value: string | undefined): value is string {
  return value !== undefined && value.length <= 20 && /^\d+(?:\.\d+)?$/.test(value);
}

function one(headers: Headers, name: string): string | undefined {
  const value = headers[name];
  return (Array.isArray(value) ? value[0] : value)?.trim();
}
