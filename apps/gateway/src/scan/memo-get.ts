import type { Get, GetResponse } from "@signalbox/backends";

/** A `get` that asks for each path once: every kind's `recognise` reads the same few answers. */
export function createMemoGet(get: Get): Get {
  const answers = new Map<string, Promise<GetResponse>>();
  return (path) => {
    let answer = answers.get(path);
    if (answer === undefined) {
      answer = get(path);
      answers.set(path, answer);
    }
    return answer;
  };
}
