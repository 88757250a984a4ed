import type { AttemptEnd } from "@signalbox/router";

/**
 * The one signal of a request, from the client's socket to the backend's: cancelled once, with a reason, and followed by
 * one listener at a time (the attempt under way, or a pause between two); attempts that run side by side have a child each.
 * An AbortSignal would cost a request more than its whole decision.
 */
export class Cancellation {
  #reason: unknown;
  #aborted = false;
  #listener: (() => void) | undefined;
  #children: Cancellation[] | undefined;

  get aborted(): boolean {
    return this.#aborted;
  }

  get reason(): unknown {
    return this.#reason;
  }

  /** How an attempt ends that it cut short: by the request's deadline, or since nobody wants the answer. */
  get attemptEnd(): AttemptEnd {
    const total = (this.#reason as { code?: unknown } | undefined)?.code === "deadline_exceeded";
    return total ? { how: "timeout", which: "total" } : { how: "client_gone" };
  }

  /** Only the first call counts. */
  cancel(reason: unknown): void {
    if (this.#aborted) return;
    this.#aborted = true;
    this.#reason = reason;
    this.#listener?.();
    if (this.#children !== undefined) for (const child of this.#children) child.cancel(reason);
  }

  /** Takes the place of the listener before it; called at once when it is too late. */
  listen(listener: () => void): void {
    this.#listener = listener;
    if (this.#aborted) listener();
  }

  unlisten(): void {
    this.#listener = undefined;
  }

  /** One that is cancelled together with this one, or alone. */
  child(): Cancellation {
    const child = new Cancellation();
    if (this.#aborted) child.cancel(this.#reason);
    this.#children ??= [];
    this.#children.push(child);
    return child;
  }
}
