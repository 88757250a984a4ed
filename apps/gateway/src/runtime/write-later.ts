/** What is to be written at the end of this turn of the event loop, in order. */
let waiting: (() => void)[] = [];

function flush(): void {
  const batch = waiting;
  waiting = [];
  for (const write of batch) {
    try {
      write();
    } catch (error) {
      // One request's fault, told as one that nobody caught: the others of the turn have their answers all the same.
      setImmediate(() => {
        throw error;
      });
    }
  }
}

/**
 * Runs `write` when everything that the event loop has read in this turn has been worked on, together with the other
 * writes of the turn: a peer that sleeps is then woken once for many requests, and each step's code runs in a row. Adds no
 * wait of its own: an idle process comes to the end of its turn at once.
 */
export function writeLater(write: () => void): void {
  if (waiting.push(write) === 1) setImmediate(flush);
}
