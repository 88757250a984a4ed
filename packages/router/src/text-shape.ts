import { codeWords, courtesies, wordGroups } from "./complexity-words.ts";

/** What a text looks like to someone who does not read it. */
export interface TextShape {
  /** Words other than courtesies; about 1.6 Han characters count as one. */
  words: number;
  longWords: number;
  numbers: number;
  /** Question marks after at least two words other than courtesies. */
  questions: number;
  /** «How many» and «how much». */
  amountsAsked: number;
  /** Lines that begin like an item of a list. */
  items: number;
  lines: number;
  codeLines: number;
  fences: number;
  mathMarks: number;
  /** New words of each group of `wordGroups`. */
  readonly groups: number[];
}

/** Of a longer text only this much of the head and the tail is looked at. */
const headLength = 6000;
const tailLength = 2000;

interface Entry {
  readonly stem: string;
  readonly group: number;
  readonly id: number;
}

const KEY = 3;
/** The first letters of a word in lower case as one number: looked up without making a string. */
function keyAt(text: string, from: number): number {
  return (
    lower(text.charCodeAt(from)) | (lower(text.charCodeAt(from + 1)) << 8) | (lower(text.charCodeAt(from + 2)) << 16)
  );
}

function lower(code: number): number {
  return code >= 65 && code <= 90 ? code + 32 : code;
}

const longCourtesies = new Set([...courtesies].filter((word) => word.length >= KEY).map((word) => keyAt(word, 0)));
const entryCount = wordGroups.reduce((sum, group) => sum + group.stems.length + group.chinese.length, 0);
const [stemsByKey, chineseByFirst] = indexEntries();

function indexEntries(): [Map<number, Entry[]>, Map<number, Entry[]>] {
  const stems = new Map<number, Entry[]>();
  const chinese = new Map<number, Entry[]>();
  let id = 0;
  wordGroups.forEach((group, index) => {
    for (const stem of group.stems) push(stems, keyAt(stem, 0), { stem, group: index, id: id++ });
    for (const stem of group.chinese) push(chinese, stem.charCodeAt(0), { stem, group: index, id: id++ });
  });
  return [stems, chinese];
}

function push<K>(map: Map<K, Entry[]>, key: K, entry: Entry): void {
  const entries = map.get(key);
  if (entries === undefined) map.set(key, [entry]);
  else entries.push(entry);
}

/** Looks at a text once, from its first to its last character. */
export function shapeOf(text: string): TextShape {
  const shape: TextShape = {
    words: 0,
    longWords: 0,
    numbers: 0,
    questions: 0,
    amountsAsked: 0,
    items: 0,
    lines: 0,
    codeLines: 0,
    fences: 0,
    mathMarks: 0,
    groups: wordGroups.map(() => 0),
  };
  const seen = new Uint8Array(entryCount);
  if (text.length <= headLength + tailLength) scan(text, shape, seen);
  else {
    scan(text.slice(0, headLength), shape, seen);
    scan(text.slice(-tailLength), shape, seen);
    // The middle is taken to be like what was seen.
    const scale = text.length / (headLength + tailLength);
    for (const key of ["words", "lines", "codeLines", "items"] as const) shape[key] *= scale;
  }
  return shape;
}

function scan(text: string, shape: TextShape, seen: Uint8Array): void {
  const { length } = text;
  let index = 0;
  let lineStart = 0;
  let firstFrom = -1;
  let firstTo = -1;
  let lastMark = 0;
  let sentence = shape.words;
  let afterHow = false;
  while (index <= length) {
    const code = index < length ? text.charCodeAt(index) : 10;
    if (code === 10) {
      if (lastMark !== 0)
        endLine(text, lineStart, index, text.slice(firstFrom, firstTo).toLowerCase(), lastMark, shape);
      lineStart = index + 1;
      firstFrom = -1;
      firstTo = -1;
      lastMark = 0;
      index++;
      continue;
    }
    if (code > 32) lastMark = code;
    if (isLetter(code)) {
      const from = index++;
      while (index < length && isWordPart(text.charCodeAt(index))) index++;
      lastMark = 97;
      if (firstFrom < 0) {
        firstFrom = from;
        firstTo = index;
      }
      const size = index - from;
      const key = size >= KEY ? keyAt(text, from) : 0;
      if (afterHow && size === 4 && isAmount(text, from, key)) shape.amountsAsked++;
      afterHow = size === 3 && key === HOW;
      countWord(text, from, index, key, shape, seen);
    } else if (isDigit(code)) {
      while (index < length && isNumberPart(text, index)) index++;
      shape.numbers++;
    } else {
      if (code > 127) countWide(text, index, code, shape, seen);
      else countMark(text, index, code, shape);
      if (endsSentence(code)) {
        if ((code === 63 || code === 0xff1f) && shape.words - sentence >= 2) shape.questions++;
        sentence = shape.words;
      }
      index++;
    }
  }
}

const HOW = keyAt("how", 0);
const MANY = keyAt("many", 0);
const MUCH = keyAt("much", 0);

/** `many` or `much`, of four letters whose first three are `key`. */
function isAmount(text: string, from: number, key: number): boolean {
  const last = lower(text.charCodeAt(from + 3));
  return (key === MANY && last === 121) || (key === MUCH && last === 104);
}

/** Makes a string of the word only when its first letters may be those of a known one. */
function countWord(text: string, from: number, to: number, key: number, shape: TextShape, seen: Uint8Array): void {
  const size = to - from;
  if (size < KEY) {
    if (!courtesies.has(text.slice(from, to).toLowerCase())) shape.words++;
    return;
  }
  const entries = stemsByKey.get(key);
  const mayBeCourtesy = longCourtesies.has(key);
  if (entries === undefined && !mayBeCourtesy) {
    shape.words++;
    if (size > 8) shape.longWords++;
    return;
  }
  const word = text.slice(from, to).toLowerCase();
  if (mayBeCourtesy && courtesies.has(word)) return;
  shape.words++;
  if (size > 8) shape.longWords++;
  if (entries === undefined) return;
  for (const { stem, group, id } of entries) {
    // Short stems are whole words: `plan` is not `planet`.
    const found = stem.length <= 4 ? word === stem || word === `${stem}s` : word.startsWith(stem);
    if (!found || seen[id] === 1) continue;
    seen[id] = 1;
    shape.groups[group]!++;
  }
}

function countWide(text: string, index: number, code: number, shape: TextShape, seen: Uint8Array): void {
  if (isMathSign(code)) shape.mathMarks++;
  else if (code >= 0x3040 && code <= 0xd7a3) shape.words += 0.6;
  else if (code < 0x2000) shape.words += 0.2;
  const entries = chineseByFirst.get(code);
  if (entries === undefined) return;
  for (const { stem, group, id } of entries) {
    if (seen[id] === 1 || !text.startsWith(stem, index)) continue;
    seen[id] = 1;
    shape.groups[group]!++;
  }
}

function countMark(text: string, index: number, code: number, shape: TextShape): void {
  if (code === 96 && text.startsWith("```", index) && text.charCodeAt(index - 1) !== 96) shape.fences++;
  else if (code === 94 || code === 61) shape.mathMarks++;
  else if (code === 92 && isLetter(text.charCodeAt(index + 1))) shape.mathMarks++;
  else if (code === 43 || code === 42 || code === 47) {
    if (isOperand(text, index - 1, -1) && isOperand(text, index + 1, 1)) shape.mathMarks++;
  }
}

function endLine(text: string, start: number, end: number, first: string, lastMark: number, shape: TextShape): void {
  shape.lines++;
  let index = start;
  while (index < end && text.charCodeAt(index) <= 32) index++;
  const code = text.charCodeAt(index);
  const next = text.charCodeAt(index + 1);
  const dotted = next === 46 || next === 41 || next === 0x3001 || next === 0xff0e;
  if ((code === 45 || code === 42 || code === 0x2022) && next <= 32) shape.items++;
  else if ((isDigit(code) || isLetter(code) || (code >= 0x4e00 && code <= 0x9fff)) && dotted) shape.items++;
  // A line of code ends in ; { } or begins with a keyword and holds no sentence.
  const endsAsCode = lastMark === 59 || lastMark === 123 || lastMark === 125;
  const beginsAsCode = codeWords.has(first) && (lastMark === 58 || lastMark === 41 || index - start >= 2);
  if (endsAsCode || beginsAsCode) shape.codeLines++;
}

/** A digit, bracket or single letter beside an operator, spaces between them allowed. */
function isOperand(text: string, from: number, direction: 1 | -1): boolean {
  let index = from;
  while (text.charCodeAt(index) === 32) index += direction;
  const code = text.charCodeAt(index);
  if (isDigit(code) || code === 40 || code === 41) return true;
  return isLetter(code) && !isLetter(text.charCodeAt(index + direction));
}

function isNumberPart(text: string, index: number): boolean {
  const code = text.charCodeAt(index);
  return isDigit(code) || ((code === 44 || code === 46) && isDigit(text.charCodeAt(index + 1)));
}

/** . ! ? and their full-width forms. */
function endsSentence(code: number): boolean {
  return code === 46 || code === 33 || code === 63 || code === 0x3002 || code === 0xff01 || code === 0xff1f;
}

function isMathSign(code: number): boolean {
  return (code >= 0x2200 && code <= 0x22ff) || code === 0xd7 || code === 0xf7 || code === 0x3c0 || code === 0xb2;
}

function isLetter(code: number): boolean {
  return (code >= 97 && code <= 122) || (code >= 65 && code <= 90);
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

function isWordPart(code: number): boolean {
  return isLetter(code) || code === 95 || code === 39;
}
