import { ReplyEvent } from "@signalbox/protocol";

/** A client that waits for a reply to go on hears a comment this often. */
const COMMENT_MS = 1000;
const WAITING = [ReplyEvent.ofComment("the reply broke off, and another backend is asked")];

/** Waits for `work`, and shows meanwhile that the stream is alive. Answers what `work` does, and throws what it throws. */
export async function* keepAlive<T>(work: Promise<T>): AsyncGenerator<readonly ReplyEvent[], T> {
  // Whoever stops listening is not told of a failure any more.
  work.catch(() => {});
  const settled = work.then((value) => ({ value }));
  settled.catch(() => {});
  for (;;) {
    let timer: NodeJS.Timeout | undefined;
    const pause = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), COMMENT_MS);
    });
    try {
      const done = await Promise.race([settled, pause]);
      if (done !== undefined) return done.value;
    } finally {
      clearTimeout(timer);
    }
    yield WAITING;
  }
}
