/** What Grafana puts in place of `$name` and `${name}` before it asks; names that are not given stay. */
export function interpolated(text: string, values: Readonly<Record<string, string>>): string {
  return text.replace(/\$(?:\{(\w+)\}|(\w+))/g, (whole, braced?: string, plain?: string) => {
    return values[braced ?? plain ?? ""] ?? whole;
  });
}

/** A part of an expression that Prometheus does not look into: text in quotes. */
const QUOTED = /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`/g;

/** The same text with what stands in quotes made harmless, so that places stay the same. */
function blanked(expr: string): string {
  return expr.replace(QUOTED, (quoted) => `"${"_".repeat(quoted.length - 2)}"`);
}

/** Words that name no metric, though no parenthesis need follow them. */
const wordsOfTheLanguage = new Set([
  ..."and or unless by without on ignoring group_left group_right offset bool inf nan".split(" "),
  ..."sum min max avg count group stddev stdvar topk bottomk quantile count_values".split(" "),
]);

/** Every selector of series in an expression, `name{...}` or a name alone; none twice. */
export function selectorsOf(expr: string): string[] {
  // Labels of a grouping look like names of metrics.
  const open = blanked(expr).replace(
    /\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)/g,
    (all, word: string) => word + " ".repeat(all.length - word.length),
  );
  const found = [...open.matchAll(/(?<![\w$:.[])([a-zA-Z_:][\w:]*)(\{[^}]*\})?(?!\s*\()(?![\w:])/g)].filter(
    ([, name = ""]) => !wordsOfTheLanguage.has(name.toLowerCase()),
  );
  return [...new Set(found.map(({ index, 0: whole }) => expr.slice(index, index + whole.length)))];
}

/** Operators by which an expression may be taken apart, those that bind least first. */
const levels = [["or"], ["and", "unless"], ["==", "!=", "<=", ">=", "<", ">"]] as const;

/**
 * What an alert compares: the expression taken apart at `or`, `and`, `unless` and comparisons that stand outside of functions.
 * Whether the comparison holds is what the alert is for; that all of these have a value is what it needs.
 * `absent(x)` has no value while all is well: there `x` is what it needs.
 */
export function comparedIn(expr: string): string[] {
  const bare = unwrapped(expr.trim());
  for (const operators of levels) {
    const parts = splitAt(bare, operators);
    if (parts.length > 1) return parts.flatMap(comparedIn);
  }
  const absent = /^absent(?:_over_time)?\((.*)\)$/s.exec(bare);
  if (absent !== null) return [absent[1]!];
  return /^[\d.]+$/.test(bare) ? [] : [bare];
}

/** Without parentheses around the whole. */
function unwrapped(expr: string): string {
  if (!expr.startsWith("(") || closingOf(blanked(expr), 0) !== expr.length - 1) return expr;
  return unwrapped(expr.slice(1, -1).trim());
}

/** Where the parenthesis that opens at a place closes. */
function closingOf(text: string, from: number): number {
  let depth = 0;
  for (let at = from; at < text.length; at++) {
    if (text[at] === "(") depth++;
    else if (text[at] === ")" && --depth === 0) return at;
  }
  return -1;
}

function splitAt(expr: string, operators: readonly string[]): string[] {
  const text = blanked(expr);
  const parts: string[] = [];
  let from = 0;
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    if ("({[".includes(text[at]!)) depth++;
    else if (")}]".includes(text[at]!)) depth--;
    if (depth > 0) continue;
    const length = operatorAt(text, at, operators);
    if (length === 0) continue;
    parts.push(expr.slice(from, at));
    from = at + length;
    at = from - 1;
  }
  return [...parts, expr.slice(from)];
}

/** How long an operator is that stands at this place, with `bool` and how its sides are matched; 0 = there is none. */
function operatorAt(text: string, at: number, operators: readonly string[]): number {
  const rest = text.slice(at);
  const operator = operators.find((one) => rest.startsWith(one));
  if (operator === undefined) return 0;
  const isWord = /\w/.test(operator);
  if (isWord && (/\w/.test(text[at - 1] ?? " ") || /\w/.test(rest[operator.length] ?? " "))) return 0;
  const matching = /^(\s*bool\b)?(\s*(?:on|ignoring|group_left|group_right)\b\s*(?:\([^)]*\))?)*/.exec(
    rest.slice(operator.length),
  );
  return operator.length + (matching?.[0].length ?? 0);
}
