import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { maskReply, type RawChoice, type ToolSet } from "@signalbox/adapter";
import type { CaptureConfig, CaptureOutcome } from "../config/config.ts";
import type { Metrics } from "./metrics.ts";
import type { RequestLog } from "./request-log.ts";

/** What is known of a reply beside its text. */
interface ReplySource {
  /** Of the request. */
  readonly id: string;
  readonly backend: string;
  readonly model: string;
  readonly dialect: string;
  readonly reasoningFirst: boolean;
  /** The tools that the request declares. */
  tools(): ToolSet;
}

type RawReply = Pick<RawChoice, "text" | "finish" | "outcomes">;

/** Keeps replies whose tool calls went wrong, so that vectors can be made of them. */
export interface Capture {
  /** Writes a reply later, if it is of the sort that is kept. Costs the request nothing; never throws. */
  take(raw: RawReply, source: ReplySource): void;
  /** Resolves when all that was taken is written. */
  flush(): Promise<void>;
}

export interface CaptureOptions extends CaptureConfig {
  readonly metrics: Pick<Metrics, "counter">;
  readonly log: Pick<RequestLog, "warn">;
}

/** Replies that wait to be written; what comes on top is dropped, and counted. */
const MAX_WAITING = 64;

type Result = "written" | "full" | "dropped" | "error";

/**
 * A capture to a file with one line of JSON for a reply, in the form of a vector. What the reply says is masked before it
 * is written. The file is for its owner alone, and grows to `maxBytes` at most, over restarts, too.
 */
export function createCapture(options: CaptureOptions): Capture {
  return new FileCapture(options);
}

class FileCapture implements Capture {
  readonly #options: CaptureOptions;
  readonly #outcomes: ReadonlySet<string>;
  #file: FileHandle | undefined;
  #size = 0;
  /** A line was begun and not ended: the disk was full. */
  #torn = false;
  #count = 0;
  #waiting = 0;
  #last: Promise<void> = Promise.resolve();
  readonly #told = new Set<Result>();

  constructor(options: CaptureOptions) {
    this.#options = options;
    this.#outcomes = new Set<CaptureOutcome>(options.outcomes);
  }

  take(raw: RawReply, source: ReplySource): void {
    if (raw.text === "" || ![...raw.outcomes].some((outcome) => this.#outcomes.has(outcome))) return;
    if (this.#waiting >= MAX_WAITING) {
      this.#tell("dropped", "more replies to capture than can be written");
      return;
    }
    this.#waiting++;
    const at = new Date().toISOString();
    this.#last = this.#last
      .then(() => this.#write(raw, source, at))
      .catch((error: unknown) => this.#failed(error))
      .finally(() => {
        this.#waiting--;
      });
  }

  async flush(): Promise<void> {
    await this.#last;
    await this.#file?.close().catch(() => {});
    this.#file = undefined;
  }

  async #write(raw: RawReply, source: ReplySource, at: string): Promise<void> {
    // The reply that is being sent goes first.
    await new Promise(setImmediate);
    this.#file ??= await this.#open();
    const line = Buffer.from(`${this.#torn ? "\n" : ""}${JSON.stringify(this.#vector(raw, source, at))}\n`);
    if (this.#size + line.length > this.#options.maxBytes) {
      this.#tell("full", "the file of captured replies is full");
      return;
    }
    this.#torn = true;
    await this.#file.appendFile(line);
    this.#torn = false;
    this.#size += line.length;
    this.#tell("written");
  }

  #vector({ text, finish, outcomes }: RawReply, source: ReplySource, at: string): Record<string, unknown> {
    const { id, backend, model, dialect, reasoningFirst } = source;
    return {
      id: `${id}.${++this.#count}`,
      dialect,
      reasoning_first: reasoningFirst,
      input: maskReply(text, source.tools()),
      upstream_finish: finish,
      outcomes: [...outcomes],
      backend,
      model,
      at,
    };
  }

  async #open(): Promise<FileHandle> {
    const { O_APPEND, O_CREAT, O_WRONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
    const { file: path } = this.#options;
    // Neither a link of somebody's nor a pipe without a reader.
    const file = await open(path, O_APPEND | O_CREAT | O_WRONLY | O_NOFOLLOW | O_NONBLOCK, 0o600);
    try {
      const stats = await file.stat();
      if (!stats.isFile()) throw new Error("not a file");
      await file.chmod(0o600);
      this.#size = stats.size;
    } catch (error) {
      await file.close();
      throw error;
    }
    return file;
  }

  async #failed(error: unknown): Promise<void> {
    this.#tell("error", String((error as NodeJS.ErrnoException).code ?? error));
    await this.#file?.close().catch(() => {});
    this.#file = undefined;
  }

  /** Counts what became of a reply; what went wrong is said once. */
  #tell(result: Result, problem?: string): void {
    this.#options.metrics.counter("signalbox_captures_total", { result }).value++;
    if (problem === undefined || this.#told.has(result)) return;
    this.#told.add(result);
    this.#options.log.warn("replies are not captured", { file: this.#options.file, problem });
  }
}
