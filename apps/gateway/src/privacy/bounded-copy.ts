import type { Redaction } from "./redaction.ts";

/** Stands where something was left out. */
const CUT = "[cut]";
/** Longer arguments are kept as the text that they are. */
const MAX_PARSED = 128 * 1024;
/** Deeper than this nothing is kept. */
const MAX_DEPTH = 32;
/** A text of at least so many characters without any space is data: an image, a sound. */
const DATA = /^(?:data:[^,\s]{0,128},)?[A-Za-z0-9+/=_-]{1024}/;

/**
 * A copy of a JSON value of at most about `limit` characters, all its texts and keys redacted. What does not fit is left out
 * from the end, with `[cut]` in its place; images and the like are told by their length.
 */
export function boundedCopy(value: unknown, limit: number, redaction: Redaction): unknown {
  return new BoundedCopy(limit, redaction).copy(value, 0);
}

class BoundedCopy {
  #left: number;
  readonly #redaction: Redaction;

  constructor(limit: number, redaction: Redaction) {
    this.#left = limit;
    this.#redaction = redaction;
  }

  copy(value: unknown, depth: number): unknown {
    if (this.#left <= 0 || depth > MAX_DEPTH) return CUT;
    this.#left -= 4;
    if (typeof value === "string") return this.#text(value);
    if (typeof value !== "object" || value === null) return value;
    return Array.isArray(value) ? this.#list(value, depth) : this.#object(value, depth);
  }

  #list(list: readonly unknown[], depth: number): unknown[] {
    const copy: unknown[] = [];
    for (const one of list) {
      copy.push(this.copy(one, depth + 1));
      if (this.#left <= 0) break;
    }
    if (copy.length < list.length) copy.push(CUT);
    return copy;
  }

  #object(object: object, depth: number): object {
    const copy: [string, unknown][] = [];
    for (const [key, member] of Object.entries(object)) {
      if (this.#left <= 0) {
        copy.push([CUT, CUT]);
        break;
      }
      copy.push([this.#text(key), this.copy(key === "arguments" ? parsed(member) : member, depth + 1)]);
    }
    return Object.fromEntries(copy);
  }

  #text(text: string): string {
    if (text.length > 1024 && DATA.test(text)) return `[${text.length} characters of data]`;
    const limit = Math.max(0, this.#left);
    const kept = this.#redaction.take(text, limit);
    this.#left -= kept.length;
    return text.length > limit ? `${kept}${CUT}` : kept;
  }
}

/** Arguments are JSON in a text, where an escape could hide what a pattern looks for. */
function parsed(member: unknown): unknown {
  if (typeof member !== "string" || member.length > MAX_PARSED) return member;
  try {
    return JSON.parse(member) as unknown;
  } catch {
    return member;
  }
}
