/** Cuts a text into token-like pieces of about four characters; joined they give the text again. */
export function toPieces(text: string): string[] {
  return text.match(/\s?\S{1,5}|\s/gu) ?? [];
}

/** Tokens of a prompt: about a quarter of its characters, at least 1. */
export function countPromptTokens(text: string): number {
  return Math.max(1, Math.ceil(text.length / 4));
}
