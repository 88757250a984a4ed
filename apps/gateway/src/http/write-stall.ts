import type { ServerResponse } from "node:http";

/** Into how many steps a limit is divided: it is kept as precisely. */
const STEPS = 10;

/**
 * Closes the connection of a client that takes nothing of what waits for it for `stallMs`, give or take a tenth; what it does
 * take puts that off. Node's own timeout would begin anew where something went early in it, and take twice as long.
 * Gives what ends the watch, to be called while the answer is not at its end.
 */
export function watchWriteStall(outgoing: ServerResponse, stallMs: number): () => void {
  const { socket } = outgoing;
  if (socket === null) return () => {};
  const stepMs = Math.max(1, stallMs / STEPS);
  let steppedAt = performance.now();
  let silent = 0;
  const onTimeout = (): void => {
    const now = performance.now();
    // Node puts a timeout off without a word where something went: then the step took longer.
    silent = now - steppedAt < stepMs * 1.5 ? silent + 1 : 1;
    steppedAt = now;
    if (silent >= STEPS) socket.destroy();
    else socket.setTimeout(stepMs);
  };
  outgoing.on("timeout", onTimeout);
  socket.setTimeout(stepMs);
  return () => {
    socket.setTimeout(0);
    outgoing.off("timeout", onTimeout);
  };
}
