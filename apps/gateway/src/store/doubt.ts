import { STUMBLE_MS, STUMBLES, STUMBLES_MS } from "./store-times.ts";

/** Whether Redis is away, or only stumbled: open for a moment, and not often. */
export class Doubt {
  #timer: NodeJS.Timeout | undefined;
  #begun: number[] = [];

  get isOpen(): boolean {
    return this.#timer !== undefined;
  }

  /** `onAway` is called unless the doubt is ended before. False = there was too much of it of late, and none is left. */
  begin(onAway: () => void): boolean {
    const time = performance.now();
    this.#begun = this.#begun.filter((at) => at > time - STUMBLES_MS);
    if (this.#begun.push(time) > STUMBLES) return false;
    // What came while this process was away is read first.
    this.#timer = setTimeout(() => setImmediate(() => this.isOpen && onAway()), STUMBLE_MS);
    return true;
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
