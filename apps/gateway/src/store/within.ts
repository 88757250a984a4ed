/** Nothing came, not even an error. */
export class Silent extends Error {}

/** Waits for an answer for so long; what came while this process was away counts. @throws Silent, and what the answer rejects with. */
export function within<T>(ms: number, answer: Promise<T>, silence = `no answer within ${ms} ms`): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => setImmediate(() => reject(new Silent(silence))), ms);
    answer.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
