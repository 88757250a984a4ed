/** A pattern may try so many steps at each place of a text, however it is made. */
const MAX_STEPS = 500;
/** A number of repetitions that is given is at most this. */
const MAX_REPEAT = 256;

/**
 * What is wrong with a pattern of the policy file that is to be looked for in texts of strangers; undefined = nothing. Taken
 * are literals, classes, `\b`, groups, `|`, and repetitions with an end (`?`, `{m}`, `{m,n}`); one without (`+`, `*`)
 * only as the last thing, where there is nothing to come back from. The steps that it can take at one place of a text, all
 * ways of matching tried, are at most 500: so no text makes it slow.
 */
export function patternProblem(source: string): string | undefined {
  try {
    new RegExp(source, "u");
  } catch {
    return "is not a regular expression";
  }
  try {
    const parser = new PatternParser(source);
    const pattern = parser.alternatives();
    if (pattern.least === 0) return "matches an empty text, and so every text";
    const steps = pattern.steps(0);
    if (steps === Number.POSITIVE_INFINITY)
      return "has a repetition without an end before its end: give it one, such as {1,64}";
    return steps > MAX_STEPS
      ? `can be matched in too many ways: up to ${Math.round(steps)} steps at one place, and ${MAX_STEPS} are taken`
      : undefined;
  } catch (error) {
    if (error instanceof RangeError) return error.message;
    throw error;
  }
}

/** A part of a pattern. */
interface Part {
  /** Characters that it matches at least. */
  readonly least: number;
  /** The most steps that it takes at one place, if what follows it takes `rest`; infinite where there is no bound. */
  steps(rest: number): number;
}

const NOTHING: Part = { least: 0, steps: (rest) => rest };
const ONE: Part = { least: 1, steps: (rest) => 1 + rest };
const PLACE: Part = { least: 0, steps: (rest) => 1 + rest };

class PatternParser {
  readonly #source: string;
  #at = 0;

  constructor(source: string) {
    this.#source = source;
  }

  get #rest(): string {
    return this.#source.slice(this.#at, this.#at + 12);
  }

  alternatives(): Part {
    const parts = [this.#sequence()];
    while (this.#take("|")) parts.push(this.#sequence());
    if (parts.length === 1) return parts[0]!;
    return {
      least: Math.min(...parts.map(({ least }) => least)),
      steps: (rest) => parts.reduce((sum, part) => sum + part.steps(rest), 0),
    };
  }

  #sequence(): Part {
    const parts: Part[] = [];
    while (this.#peek !== undefined && this.#peek !== "|" && this.#peek !== ")")
      parts.push(this.#repeated(this.#atom()));
    if (parts.length === 0) return NOTHING;
    return {
      least: parts.reduce((sum, { least }) => sum + least, 0),
      steps: (rest) => parts.reduceRight((behind, part) => part.steps(behind), rest),
    };
  }

  #repeated(part: Part): Part {
    const match = /^(?:[?*+]|\{(\d+)(,?)(\d*)\})\??/.exec(this.#source.slice(this.#at));
    if (match === null) return part;
    this.#at += match[0].length;
    const sign = match[0][0];
    const least = sign === "{" ? Number(match[1]) : sign === "+" ? 1 : 0;
    const most = sign === "{" ? (match[2] === "" ? least : Number(match[3] || Infinity)) : sign === "?" ? 1 : Infinity;
    if (least > MAX_REPEAT || (most !== Infinity && most > MAX_REPEAT))
      throw new RangeError(`repeats «${match[0]}»: at most ${MAX_REPEAT} times are taken`);
    return {
      least: part.least * least,
      steps(rest) {
        // With nothing behind it what was found is found; else every length may have to be tried.
        if (most === Infinity) return rest === 0 ? Math.max(1, least) * part.steps(0) : Infinity;
        let steps = rest;
        for (let times = most - 1; times >= 0; times--) steps = part.steps(steps) + (times >= least ? rest : 0);
        return steps;
      },
    };
  }

  #atom(): Part {
    const sign = this.#peek;
    if (sign === "(") return this.#group();
    if (sign === "[") {
      const match = /^\[(?:[^\]\\]|\\.)*\]/s.exec(this.#source.slice(this.#at))!;
      this.#at += match[0].length;
      return ONE;
    }
    if (sign === "\\") return this.#escape();
    if (sign === "^" || sign === "$")
      throw new RangeError(`holds «${sign}»: a pattern is looked for anywhere in a text`);
    this.#at += String.fromCodePoint(this.#source.codePointAt(this.#at)!).length;
    return ONE;
  }

  #group(): Part {
    const match = /^\((?:\?:|(?!\?))/.exec(this.#source.slice(this.#at));
    if (match === null) throw new RangeError(`holds «${this.#rest}»: only plain groups are taken, (…) and (?:…)`);
    this.#at += match[0].length;
    const inner = this.alternatives();
    this.#take(")");
    return inner;
  }

  #escape(): Part {
    const match = /^\\(?:[bB]|([1-9k])|[pP]\{[^}]*\}|u\{[^}]*\}|u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|.)/su.exec(
      this.#source.slice(this.#at),
    )!;
    if (match[1] !== undefined) throw new RangeError(`holds «${match[0]}»: it may not refer to what it has matched`);
    this.#at += match[0].length;
    return /^\\[bB]$/.test(match[0]) ? PLACE : ONE;
  }

  get #peek(): string | undefined {
    return this.#source[this.#at];
  }

  #take(sign: string): boolean {
    if (this.#peek !== sign) return false;
    this.#at++;
    return true;
  }
}
