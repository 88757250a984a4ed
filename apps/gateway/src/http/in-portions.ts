/** So many a turn: a millisecond or two. */
const PORTION = 32;

const waiting: (() => void)[] = [];

function next(): void {
  for (const work of waiting.splice(0, PORTION)) {
    try {
      work();
    } catch (error) {
      // One client's fault, told as one that nobody caught: the others of the portion are let go all the same.
      setImmediate(() => {
        throw error;
      });
    }
  }
  if (waiting.length > 0) setImmediate(next);
}

/**
 * Runs `work` soon, in the order of the calls, few of it in one turn of the event loop: thousands of clients that leave in
 * one moment would hold up all those that stay. At once after the turn when there is no crowd.
 */
export function inPortions(work: () => void): void {
  if (waiting.push(work) === 1) setImmediate(next);
}
