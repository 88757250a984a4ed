import { type Answer, type Cursor, MORE, YES } from "../cursor.ts";

/** Steps over `literal`, if it is here. */
export function* take(read: Cursor, literal: string): Generator<undefined, Answer, undefined> {
  let answer = read.take(literal);
  for (; answer === MORE; answer = read.take(literal)) yield;
  return answer;
}

/** A newline as some engines write it: backslash and n. */
export const NOISE = "\\n";

/** Steps over whitespace between tags; a newline may come as backslash and n. */
export function* noise(read: Cursor): Generator<undefined, void, undefined> {
  do while (read.space() === MORE) yield;
  while ((yield* take(read, NOISE)) === YES);
}
