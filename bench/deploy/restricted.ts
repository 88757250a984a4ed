/** The image's start command at work as the image is meant to be run: no root, no capability, nothing it may write to. */
export interface Restricted {
  /** Who holds it to that, in words. */
  readonly how: string;
  /** What keeps its memory down, in words. */
  readonly memory: string;
  /** Of the gateway itself, as this machine counts. */
  readonly pid: number;
  /** Runs the image's health command beside it, under the same restrictions; its exit code. */
  health(): Promise<number>;
  /** Sends SIGTERM; resolves with the exit code. */
  stop(): Promise<number>;
  /** Ends and removes what is left. */
  remove(): Promise<void>;
}

/** What to run. */
export interface RestrictedOptions {
  /** The folder with `signalbox.yaml`; everybody may read it. */
  readonly configFolder: string;
  readonly memoryBytes: number;
}
