/** The words a reader sees when a value with a unit is wrong, by what was expected. */
export const unitForms = {
  duration: "a duration such as 500ms, 30s, 10m or 2h",
  count: "a whole number such as 512, 2k, 196k or 50M",
  rate: "a rate such as 600/min, 200k/min, 5/s, 1000/hour or 1M/day",
  price: "a price such as 0.2/M or 0.0002/k, for a million or a thousand tokens",
  budget: "a budget such as 50M/month, 36k/week or 300/day",
  days: "a number of days such as 7d or 92d",
  percent: "a percentage such as 20%",
  size: "a size such as 512KiB, 32MiB or 1GiB",
  address: "an address such as 127.0.0.1:8080, 0.0.0.0:8080 or [::1]:8080",
} as const;
export type Unit = keyof typeof unitForms;

/** At most `limit` in any `windowMs`. */
export interface Rate {
  readonly limit: number;
  readonly windowMs: number;
}

/**
 * What a token costs, exactly: so many billionths of the currency, and so many millionths of a billionth. Whole numbers, so
 * that no price is rounded before a request is.
 */
export interface TokenPrice {
  readonly nano: number;
  /** 0 to 999,999. */
  readonly rest: number;
}

/** A period of the calendar, in UTC; a week begins on Monday. */
export type Period = "day" | "week" | "month";

/** At most `amount` in each `every`. */
export interface PeriodAmount {
  /** Whole, in the smallest unit of what is meant. */
  readonly amount: number;
  readonly every: Period;
}

/** Where a listener binds. Port 0 = any free port. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

const millisecondsOf = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;
const windowsOf = { s: 1000, min: 60_000, hour: 3_600_000, day: 86_400_000 } as const;
const multipliers = { k: 1e3, M: 1e6, G: 1e9 } as const;
const bytesOf = { B: 1, KB: 1e3, MB: 1e6, GB: 1e9, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 } as const;

/** Milliseconds of `30s`, `500ms`, `1.5m`, `2h`; undefined when the text is anything else or over 24 days (a timer's limit). */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text);
  if (!match) return undefined;
  const ms = Math.round(Number(match[1]) * millisecondsOf[match[2] as keyof typeof millisecondsOf]);
  return ms <= 2 ** 31 - 1 ? ms : undefined;
}

/** `196k` = 196,000, `2k`, `50M`, or a plain whole number; decimal steps, so `k` is 1,000. Undefined = anything else. */
export function parseCount(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)([kMG]?)$/.exec(text);
  if (!match) return undefined;
  const value = Number(match[1]) * (match[2] ? multipliers[match[2] as keyof typeof multipliers] : 1);
  const rounded = Math.round(value);
  return Math.abs(value - rounded) < 1e-6 && Number.isSafeInteger(rounded) ? rounded : undefined;
}

/** `600/min`, `200k/min`, `5/s`, `1000/hour`, `1M/day`; undefined = anything else. */
export function parseRate(text: string): Rate | undefined {
  const match = /^([^/\s]+)\s*\/\s*(s|min|hour|day)$/.exec(text);
  const limit = match ? parseCount(match[1] as string) : undefined;
  if (!match || limit === undefined) return undefined;
  return { limit, windowMs: windowsOf[match[2] as keyof typeof windowsOf] };
}

/** Dearest price that is taken: a request's cost stays a whole number below 2^53 with it. */
const MAX_FEMTO = 1_000_000n * 10n ** 9n;

/** `0.2/M`, `1.1/M`, `0.0002/k`: per million or thousand tokens, up to 9 (12) decimals; undefined = anything else or over 1M/M. */
export function parsePrice(text: string): TokenPrice | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*\/\s*([kM])$/.exec(text);
  const femto = match ? scaled(match[1] as string, match[2] === "k" ? 12 : 9) : undefined;
  if (femto === undefined || femto > MAX_FEMTO) return undefined;
  return { nano: Number(femto / 1_000_000n), rest: Number(femto % 1_000_000n) };
}

/** `50M/month`, `36k/week`, `12.50/day`, with `decimals` places made whole; undefined = anything else, or more places. */
export function parseBudget(text: string, decimals: number): PeriodAmount | undefined {
  const match = /^(\d+(?:\.\d+)?)([kMG]?)\s*\/\s*(day|week|month)$/.exec(text);
  if (!match) return undefined;
  const steps = { k: 3, M: 6, G: 9 }[match[2] as string] ?? 0;
  const amount = scaled(match[1] as string, steps + decimals);
  if (amount === undefined || amount > BigInt(Number.MAX_SAFE_INTEGER)) return undefined;
  return { amount: Number(amount), every: match[3] as Period };
}

/** A decimal number times 10 to the `places`, where that is whole. */
function scaled(number: string, places: number): bigint | undefined {
  const [whole = "", fraction = ""] = number.split(".");
  const digits = fraction.replace(/0+$/, "");
  if (digits.length > places || whole.length > 15) return undefined;
  return BigInt(whole + digits) * 10n ** BigInt(places - digits.length);
}

/** Days of `7d`, `92d`; undefined = anything else or over ten years. */
export function parseDays(text: string): number | undefined {
  const match = /^(\d{1,4})d$/.exec(text);
  const days = match ? Number(match[1]) : undefined;
  return days !== undefined && days <= 3660 ? days : undefined;
}

/** `20%` = 0.2; undefined = anything else or over 100 %. */
export function parsePercent(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*%$/.exec(text);
  const value = match ? Number(match[1]) / 100 : undefined;
  return value !== undefined && value <= 1 ? value : undefined;
}

/** Bytes of `8MiB`, `512KiB`, `1GB`; undefined = anything else. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)(B|KB|MB|GB|KiB|MiB|GiB)$/.exec(text);
  if (!match) return undefined;
  const bytes = Math.round(Number(match[1]) * bytesOf[match[2] as keyof typeof bytesOf]);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** `127.0.0.1:8080`, `localhost:0`, `[::1]:8080`; undefined = anything else. */
export function parseAddress(text: string): Address | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9.-]+)):(\d{1,5})$/.exec(text);
  if (!match) return undefined;
  const port = Number(match[3]);
  return port <= 65535 ? { host: (match[1] ?? match[2]) as string, port } : undefined;
}

/** Only this machine can reach it: 127.0.0.0/8, ::1 or localhost. */
export function isLoopback(host: string): boolean {
  const plain = host.toLowerCase().replace(/^::ffff:/, "");
  return plain === "localhost" || plain === "::1" || /^127(\.\d{1,3}){3}$/.test(plain);
}

/** What was probably meant by a value of the wrong form: `30` -> `30s`, `600/m` -> `600/min`. Undefined = no idea. */
export function likelyUnit(unit: Unit, text: string): string | undefined {
  return candidates(unit, text.trim()).find(
    (candidate) => candidate !== text && parsers[unit](candidate) !== undefined,
  );
}

const parsers: Record<Unit, (text: string) => unknown> = {
  duration: parseDuration,
  count: parseCount,
  rate: parseRate,
  price: parsePrice,
  budget: (text) => parseBudget(text, 9),
  days: parseDays,
  percent: parsePercent,
  size: parseSize,
  address: parseAddress,
};

function candidates(unit: Unit, text: string): string[] {
  const compact = text.replaceAll(/[\s_,]/g, "");
  switch (unit) {
    case "duration":
      return [
        `${compact}s`,
        compact,
        compact.replace(/(sec|secs|second|seconds|S)$/, "s"),
        minutes(compact),
        millis(compact),
      ];
    case "count":
      return [compact, compact.replace(/K$/, "k"), compact.replace(/m$/, "M"), compact.replace(/(tokens?|reqs?)$/, "")];
    case "rate":
      return [
        rateWindow(compact),
        rateWindow(compact.replace(/K(?=\/)/, "k").replace(/m(?=\/)/, "M")),
        `${compact}/min`,
      ];
    case "price":
      return [
        compact,
        `${compact}/M`,
        compact.replace(/\/(m|Mtok\w*|million|1M)$/, "/M").replace(/\/(K|1k|1K)$/, "/k"),
      ].map((each) => each.replace(/^[$€£]/, ""));
    case "budget":
      return [
        budgetPeriod(compact),
        budgetPeriod(compact.replace(/K(?=\/)/, "k").replace(/m(?=\/)/, "M")),
        `${compact}/month`,
      ];
    case "days":
      return [compact, `${compact}d`, compact.replace(/(days?|D)$/, "d"), weeks(compact)];
    case "percent":
      return [`${compact}%`, `${Math.round(Number(compact) * 100)}%`].slice(Number(compact) < 1 ? 1 : 0);
    case "size":
      return [
        `${compact}iB`,
        `${compact}B`,
        compact.replace(/mb$/i, "MB"),
        compact.replace(/mib$/i, "MiB"),
        `${compact}MiB`,
      ];
    case "address":
      return [
        `127.0.0.1:${compact}`,
        `0.0.0.0${compact}`,
        `${compact}:8080`,
        compact.replace(/^https?:\/\//, "").replace(/\/$/, ""),
      ];
  }
}

const minutes = (text: string) => text.replace(/(min|mins|minute|minutes|M)$/, "m");
const millis = (text: string) => text.replace(/(msec|millis|MS)$/, "ms").replace(/(hours?|hr|H)$/, "h");
const rateWindow = (text: string) =>
  text
    .replace(/\/(sec|second|seconds|S)$/, "/s")
    .replace(/\/(m|mins|minute|minutes|M)$/, "/min")
    .replace(/\/(h|hr|hours|H)$/, "/hour")
    .replace(/\/(d|days|D)$/, "/day");
const budgetPeriod = (text: string) =>
  text
    .replace(/^[$€£]/, "")
    .replace(/\/(d|days|D|daily)$/, "/day")
    .replace(/\/(w|weeks|weekly)$/, "/week")
    .replace(/\/(m|mo|months|monthly)$/, "/month");
const weeks = (text: string) => {
  const match = /^(\d{1,3})(w|weeks?)$/.exec(text);
  return match ? `${Number(match[1]) * 7}d` : text;
};
