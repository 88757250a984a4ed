/** One sample of a Prometheus text page. */
export interface Sample {
  readonly name: string;
  readonly labels: ReadonlyMap<string, string>;
  /** Always finite: `NaN` and `+Inf` samples are left out. */
  readonly value: number;
}

/**
 * Reads the samples with these names from a page in Prometheus text format. Takes time in proportion to the page;
 * lines that cannot be read are passed over, timestamps and exemplars are ignored. Never throws.
 */
export function readPrometheusText(page: string, names: ReadonlySet<string>): readonly Sample[] {
  const samples: Sample[] = [];
  let start = 0;
  while (start < page.length) {
    const newline = page.indexOf("\n", start);
    const end = newline === -1 ? page.length : newline;
    const sample = readLine(page.slice(start, end), names);
    if (sample !== undefined) samples.push(sample);
    start = end + 1;
  }
  return samples;
}

/** The sum over all label sets, e.g. over the engines behind one server; undefined when there is no such sample. */
export function sumOf(samples: readonly Sample[], name: string): number | undefined {
  const values = valuesOf(samples, name);
  return values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0);
}

/** The largest value over all label sets; undefined when there is no such sample. */
export function maxOf(samples: readonly Sample[], name: string): number | undefined {
  const values = valuesOf(samples, name);
  return values.length === 0 ? undefined : values.reduce((most, value) => Math.max(most, value));
}

function valuesOf(samples: readonly Sample[], name: string): readonly number[] {
  return samples.filter((sample) => sample.name === name).map((sample) => sample.value);
}

function readLine(line: string, names: ReadonlySet<string>): Sample | undefined {
  let at = skipSpace(line, 0);
  const nameStart = at;
  while (at < line.length && line[at] !== "{" && !isSpace(line, at)) at++;
  const name = line.slice(nameStart, at);
  if (!names.has(name)) return undefined;
  at = skipSpace(line, at);
  const labels = new Map<string, string>();
  if (line[at] === "{") {
    const after = readLabels(line, at + 1, labels);
    if (after === undefined) return undefined;
    at = skipSpace(line, after);
  }
  const valueStart = at;
  while (at < line.length && !isSpace(line, at)) at++;
  if (at === valueStart) return undefined;
  const value = Number(line.slice(valueStart, at));
  return Number.isFinite(value) ? { name, labels, value } : undefined;
}

/** Reads `key="value",...}` from `at`; gives the place after the brace, or undefined when the labels are broken. */
function readLabels(line: string, at: number, labels: Map<string, string>): number | undefined {
  let next = at;
  while (next < line.length) {
    next = skipSpace(line, next);
    if (line[next] === "}") return next + 1;
    const equals = line.indexOf("=", next);
    if (equals === -1) return undefined;
    const key = line.slice(next, equals).trim();
    const open = skipSpace(line, equals + 1);
    if (line[open] !== '"') return undefined;
    let value = "";
    next = open + 1;
    while (next < line.length && line[next] !== '"') {
      if (line[next] === "\\") {
        next++;
        value += line[next] === "n" ? "\n" : (line[next] ?? "");
      } else value += line[next];
      next++;
    }
    if (next >= line.length) return undefined;
    labels.set(key, value);
    next = skipSpace(line, next + 1);
    if (line[next] === ",") next++;
  }
  return undefined;
}

function skipSpace(line: string, at: number): number {
  let next = at;
  while (next < line.length && isSpace(line, next)) next++;
  return next;
}

function isSpace(line: string, at: number): boolean {
  const char = line[at];
  return char === " " || char === "\t" || char === "\r";
}
