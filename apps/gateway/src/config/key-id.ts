/** What a key without a name is known by: the first 8 hex digits of its hash, which is given with or without `sha256:`. */
export const keyDigits = (hash: string): string =>
  hash
    .replace(/^sha256:/i, "")
    .slice(0, 8)
    .toLowerCase();
