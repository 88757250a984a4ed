/** Texts longer than this are sampled: the estimate must not cost more than the routing. */
const SAMPLE_ABOVE = 131_072;
const SAMPLES = 32;
const SAMPLE_LENGTH = 4096;

const LETTER = 1;
const DIGIT = 2;
const SPACE = 3;
const MARK = 4;
const WIDE = 5;

/**
 * About how many tokens a text has, without a tokenizer: within a fifth for English, Chinese, code and JSON with the
 * vocabularies of current models. Under 1 ms for any length: from 128 Ki characters on it looks at samples.
 */
export function estimateTokens(text: string): number {
  if (text.length <= SAMPLE_ABOVE) return Math.ceil(countTokens(text, 0, text.length));
  const stride = Math.floor((text.length - SAMPLE_LENGTH) / (SAMPLES - 1));
  let tokens = 0;
  for (let sample = 0; sample < SAMPLES; sample++) {
    tokens += countTokens(text, sample * stride, sample * stride + SAMPLE_LENGTH);
  }
  return Math.ceil((tokens / (SAMPLES * SAMPLE_LENGTH)) * text.length);
}

/** Walks the runs of equal character classes: a tokenizer splits at most of their borders. */
function countTokens(text: string, start: number, end: number): number {
  let tokens = 0;
  let index = start;
  while (index < end) {
    const code = text.charCodeAt(index);
    const kind = kindOf(code);
    const from = index++;
    if (kind === WIDE) {
      tokens += wideCost(code);
      continue;
    }
    let upper = code < 91;
    while (index < end) {
      const next = text.charCodeAt(index);
      if (kindOf(next) !== kind) break;
      // camelCase is two words.
      if (kind === LETTER) {
        const nextUpper = next < 91;
        if (nextUpper && !upper) break;
        upper = nextUpper;
      }
      index++;
    }
    tokens += runCost(kind, index - from, code);
  }
  return tokens;
}

function runCost(kind: number, length: number, first: number): number {
  if (kind === LETTER) return length <= 8 ? 1.05 : 1 + (length - 6) * 0.2;
  if (kind === DIGIT) return Math.ceil(length / 2.5);
  // One space belongs to the word after it; a line break or an indent is a token of its own.
  if (kind === SPACE) return length === 1 && first === 32 ? 0 : Math.min(0.9 + length / 32, length);
  return 0.8 + (length - 1) * 0.2;
}

const asciiKinds = Uint8Array.from({ length: 128 }, (_, code) => {
  if (/[a-z]/i.test(String.fromCharCode(code))) return LETTER;
  if (code >= 48 && code <= 57) return DIGIT;
  return code <= 32 ? SPACE : MARK;
});

function kindOf(code: number): number {
  return code < 128 ? asciiKinds[code]! : WIDE;
}

/** Tokens of one UTF-16 unit outside ASCII. */
function wideCost(code: number): number {
  if (code < 0x0250) return 0.6; // Latin with accents, in words that are mostly ASCII
  if (code < 0x0530) return 0.3; // Greek, Cyrillic
  if (code < 0x1100) return 0.45; // Hebrew, Arabic, Indic scripts, Thai
  if (code >= 0x4e00 && code <= 0x9fff) return 0.75; // Han
  if (code >= 0x3000 && code <= 0x30ff) return 0.75; // Kana, CJK punctuation
  if (code >= 0xac00 && code <= 0xd7a3) return 0.8; // Hangul
  if (code >= 0x2010 && code <= 0x206f) return 0.8; // Dashes and quotes
  return 1;
}
