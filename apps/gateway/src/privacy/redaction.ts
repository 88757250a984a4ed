/** A pattern of the policy file. */
export interface OwnPattern {
  readonly name: string;
  /** A regular expression that `patternProblem` has nothing against. */
  readonly matches: string;
  readonly ignoreCase: boolean;
}

/** Takes out of texts what must not be written down. */
export interface Redaction {
  /**
   * The first `limit` characters of a text, with `[redacted:NAME]` in place of each match, also of one that only begins there.
   * Linear in the limit: only a little of what is behind it is read.
   */
  take(text: string, limit: number): string;
}

interface Pattern {
  readonly name: string;
  readonly regex: RegExp;
  /** Is a match one indeed? */
  check?(match: string): boolean;
}

/** A match is followed so far over the limit. */
const OVERLAP = 4096;

// Each repetition that something follows has a bound, so that no text makes these slow.
const builtIn = {
  email: { regex: /[\p{L}\p{N}._%+'-]{1,64}@[\p{L}\p{N}-]{1,63}(?:\.[\p{L}\p{N}-]{1,63}){1,8}/gu },
  credit_card: { regex: /(?<!\d)\d(?:[ -]?\d){12,18}(?!\d)/g, check: holdsCard },
  iban: { regex: /\b[A-Z]{2}\d{2}(?: ?[A-Z\d]{4}){2,7}(?: ?[A-Z\d]{1,3})?\b/gi, check: holdsIban },
  phone: {
    regex:
      /(?:\+|\b00)[1-9](?:[ .()/-]{0,2}\d){6,14}|\(?\b\d{3}\)?[ .-]\d{3}[ .-]\d{4}\b|(?<!\d)0[1-9]\d{0,3}[ /-]\d{3,8}(?:[ -]\d{1,6}){0,2}\b/g,
  },
  api_key: {
    regex:
      /\b(?:sk|pk|rk|sb)[-_][\w-]{16,}|\bhf_[A-Za-z0-9]{16,}|\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_\w{20,}|\bglpat-[\w-]{16,}|\bAKIA[0-9A-Z]{16}|\bxox[abeprs]-[\w-]{10,}|\bAIza[\w-]{30,}|\beyJ[\w-]{8,512}\.[\w-]{8,2048}\.[\w-]*|\bBearer [\w.~+/-]{16,}=*|-----BEGIN [A-Z ]{0,32}PRIVATE KEY-----[^-]{0,4096}(?:-----END [A-Z ]{0,32}PRIVATE KEY-----)?/g,
  },
  ipv4: { regex: /(?<!\d)(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?!\d)/g },
} as const satisfies Record<string, Omit<Pattern, "name">>;

/** What `server.redact` knows by name. */
export const redactionNames = Object.keys(builtIn) as [keyof typeof builtIn, ...(keyof typeof builtIn)[]];

/** A redaction by built-in names and own patterns; of matches that overlap, the first gives its name, and of those that begin together the longest. */
export function createRedaction(list: readonly (keyof typeof builtIn | OwnPattern)[]): Redaction {
  const patterns = list.map((one): Pattern => {
    if (typeof one === "string") return { name: one, ...builtIn[one] };
    return { name: one.name, regex: new RegExp(one.matches, one.ignoreCase ? "giu" : "gu") };
  });
  return { take: (text, limit) => redact(text, limit, patterns) };
}

interface Match {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

function redact(text: string, limit: number, patterns: readonly Pattern[]): string {
  const read = text.length > limit + OVERLAP ? text.slice(0, limit + OVERLAP) : text;
  const found = patterns
    .flatMap((pattern) => matchesOf(pattern, read))
    .sort((a, b) => a.start - b.start || b.end - a.end);
  let left = "";
  let at = 0;
  for (const { name, start, end } of found) {
    if (left.length >= limit) return left.slice(0, limit + MARK_ROOM);
    if (start >= limit) break;
    // Overlaps become one gap under the first name.
    if (start >= at) left += `${read.slice(at, start)}[redacted:${name}]`;
    at = Math.max(at, end);
  }
  return (left + read.slice(at, Math.max(at, limit))).slice(0, limit + MARK_ROOM);
}

/** A mark that begins within the limit stays whole. */
const MARK_ROOM = 80;

function matchesOf({ name, regex, check }: Pattern, text: string): Match[] {
  const found: Match[] = [];
  regex.lastIndex = 0;
  for (let match = regex.exec(text); match !== null; match = regex.exec(text)) {
    const start = match.index;
    if (check === undefined || check(match[0])) found.push({ name, start, end: regex.lastIndex });
    // What is none as a whole may hold one.
    else regex.lastIndex = start + 1;
  }
  return found;
}

/** Digits may follow a number that belong to something else: one card at its beginning is enough. */
function holdsCard(match: string): boolean {
  const digits = match.replace(/\D/g, "");
  return [13, 14, 15, 16, 19].some((length) => digits.length >= length && isLuhn(digits.slice(0, length)));
}

function isLuhn(digits: string): boolean {
  let sum = 0;
  for (let i = 0; i < digits.length; i++) {
    const digit = Number(digits[digits.length - 1 - i]);
    const twice = digit * 2;
    sum += i % 2 === 0 ? digit : twice > 9 ? twice - 9 : twice;
  }
  return sum % 10 === 0 && /[1-9]/.test(digits);
}

/** Words may follow the number: a prefix that is one is enough. Its check sum is that of the rest and of the first four behind it. */
function holdsIban(match: string): boolean {
  const all = match.replaceAll(" ", "").toUpperCase();
  const head = digitValue(all, 0) * 10_000 + digitValue(all, 1) * 100 + Number(all.slice(2, 4));
  let rest = 0;
  for (let at = 4; at < all.length && at < 34; at++) {
    const value = digitValue(all, at);
    rest = (rest * (value > 9 ? 100 : 10) + value) % 97;
    if (at >= 14 && (rest * 1_000_000 + head) % 97 === 1) return true;
  }
  return false;
}

/** 0 to 9, and 10 to 35 for A to Z. */
function digitValue(text: string, at: number): number {
  const code = text.charCodeAt(at);
  return code < 65 ? code - 48 : code - 55;
}
