/** The arguments of a call as the guard reads them. */
export type CallArguments = ReadArguments | UnreadableArguments;

interface ReadArguments {
  readonly object: Readonly<Record<string, unknown>>;
  /** Values in them, nested ones included, give or take one. */
  readonly values: number;
}

interface UnreadableArguments {
  readonly object: undefined;
  /** `type`: not JSON, or not an object. `duplicate_key`: two parsers may read two different calls. */
  readonly fault: "type" | "duplicate_key";
}

/** Reads the arguments of a call. Never throws; time is linear in the text. */
export function readArguments(text: string): CallArguments {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return { object: undefined, fault: "type" };
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed))
    return { object: undefined, fault: "type" };
  const { colons, commas } = countMarks(text);
  // JSON.parse keeps the last of two equal keys, and a client's parser may keep the first.
  if (colons !== countKeys(parsed)) return { object: undefined, fault: "duplicate_key" };
  return { object: parsed as Record<string, unknown>, values: colons + commas + 1 };
}

/** The colons and commas of a valid JSON text that stand outside its strings. */
function countMarks(text: string): { colons: number; commas: number } {
  let colons = 0;
  let commas = 0;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (unit === 0x3a) colons++;
    else if (unit === 0x2c) commas++;
    else if (unit === 0x22) index = endOfString(text, index);
  }
  return { colons, commas };
}

/** Where the string that opens at `start` has its closing quote. */
function endOfString(text: string, start: number): number {
  let end = start;
  for (;;) {
    end = text.indexOf('"', end + 1);
    let backslashes = 0;
    while (text.charCodeAt(end - 1 - backslashes) === 0x5c) backslashes++;
    if (backslashes % 2 === 0) return end;
  }
}

function countKeys(root: object): number {
  // A stack of its own rather than recursion: the depth is the model's to choose.
  const stack: object[] = [root];
  let keys = 0;
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    const members: unknown[] = Object.values(next);
    if (!Array.isArray(next)) keys += members.length;
    for (const member of members) if (typeof member === "object" && member !== null) stack.push(member);
  }
  return keys;
}
