import { type Script, type ScriptRunner, scripts } from "../teams/scripts.ts";
import { Backlog, type BacklogOptions, willPass } from "./backlog.ts";

export interface ReservationRunnerOptions extends BacklogOptions {
  /** Can Redis be told things now? */
  readonly isThere: () => boolean;
}

/** Few at a time, so that the return of many replicas is no rush. */
const AT_ONCE = 50;
const PAUSE_MS = 25;

/** Runs the scripts of reservations. How requests ended is kept where Redis cannot be told, and told when it is back. */
export class ReservationRunner implements ScriptRunner {
  readonly #options: ReservationRunnerOptions;
  readonly #kept: Backlog;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ReservationRunnerOptions) {
    this.#options = options;
    this.#kept = new Backlog(options);
  }

  /** Ends that Redis has not been told of. */
  get kept(): number {
    return this.#kept.size;
  }

  async run(script: Script, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown> {
    const { runner, isThere, onDropped } = this.#options;
    if (script !== scripts.settle) return runner.run(script, keys, args);
    const call = { script, keys, args };
    if (!isThere()) return this.#kept.add(call);
    try {
      return await runner.run(script, keys, args);
    } catch (error) {
      if (willPass(error)) this.#kept.add(call, true);
      else onDropped(1);
      this.tellLater();
    }
  }

  /** Tells Redis what was kept, little by little. */
  tellLater(): void {
    if (this.#timer !== undefined || this.#kept.size === 0) return;
    this.#timer = setTimeout(
      async () => {
        if (this.#options.isThere()) await this.#kept.send(AT_ONCE);
        this.#timer = undefined;
        if (this.#options.isThere()) this.tellLater();
      },
      PAUSE_MS * (0.75 + Math.random() / 2),
    );
  }

  /** Tells Redis everything at once: for the end of a process. */
  async tellAll(): Promise<void> {
    clearTimeout(this.#timer);
    if (this.#options.isThere()) await this.#kept.send(this.#kept.size);
  }

  /** Forgets what was kept: the data that it was about is gone. */
  forget(): void {
    this.#kept.clear();
  }
}
