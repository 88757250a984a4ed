/**
 * The one signal of a request, from the client's socket to the backend's: cancelled once, with a reason, and followed by
 * one listener at a time (the attempt under way, or a pause between two). An AbortSignal would cost a request more than
 * its whole decision.
 */
export class Cancellation {
  #reason: unknown;
  #aborted = false;
  #listener: (() => void) | undefined;

  get aborted(): boolean {
    return this.#aborted;
  }

  get reason(): unknown {
    return this.#reason;
  }

  /** Only the first call counts. */
  cancel(reason: unknown): void {
    if (this.#aborted) return;
    this.#aborted = true;
    this.#reason = reason;
    this.#listener?.();
  }

  /** Takes the place of the listener before it; called at once when it is too late. */
  listen(listener: () => void): void {
    this.#listener = listener;
    if (this.#aborted) listener();
  }

  unlisten(): void {
    this.#listener = undefined;
  }
}
