import { write } from "node:fs";

export interface LineWriterOptions {
  readonly fd: number;
  /** Milliseconds that a line waits for company; 50 unless told. */
  readonly flushMs?: number;
  /** Characters that may wait for a reader that is slow; beyond that lines are dropped and counted. 8 Mi unless told. */
  readonly maxWaiting?: number;
}

/** Writes lines in large pieces, in the background; never holds up who writes. */
export interface LineWriter {
  write(line: string): void;
  /** Lines that were dropped because the reader was too slow or gone. */
  readonly dropped: number;
  /** Resolves when all that was written until now is out, or the reader took nothing for a second. */
  flush(): Promise<void>;
}

const PIECE = 64 * 1024;
/** A pipe that is full is tried again after this long. */
const RETRY_MS = 10;
/** A reader that takes nothing at the end of the process does not get to hold it. */
const FLUSH_PATIENCE_MS = 1000;

/** A writer to a file descriptor. */
export function createLineWriter({ fd, flushMs = 50, maxWaiting = 8 * 1024 * 1024 }: LineWriterOptions): LineWriter {
  return new FdLineWriter(fd, flushMs, maxWaiting);
}

class FdLineWriter implements LineWriter {
  dropped = 0;
  readonly #fd: number;
  readonly #flushMs: number;
  readonly #maxWaiting: number;
  #waiting = "";
  /** What is being written now. */
  #piece: Buffer | undefined;
  #written = 0;
  #timer: NodeJS.Timeout | undefined;
  /** Called when nothing waits any more. */
  #idle: (() => void)[] = [];

  constructor(fd: number, flushMs: number, maxWaiting: number) {
    this.#fd = fd;
    this.#flushMs = flushMs;
    this.#maxWaiting = maxWaiting;
  }

  write(line: string): void {
    if (this.#waiting.length + line.length > this.#maxWaiting) {
      this.dropped++;
      return;
    }
    this.#waiting += line;
    if (this.#waiting.length >= PIECE) this.#next();
    else this.#timer ??= setTimeout(() => this.#next(), this.#flushMs).unref();
  }

  #next(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#piece !== undefined) return;
    if (this.#waiting === "") {
      for (const idle of this.#idle.splice(0)) idle();
      return;
    }
    this.#piece = Buffer.from(this.#waiting);
    this.#written = 0;
    this.#waiting = "";
    this.#writePiece();
  }

  #writePiece(): void {
    const piece = this.#piece!;
    write(this.#fd, piece, this.#written, piece.length - this.#written, null, (error, count) => {
      if (error?.code === "EAGAIN" || error?.code === "EINTR") {
        setTimeout(() => this.#writePiece(), RETRY_MS).unref();
        return;
      }
      if (error === null) {
        this.#written += count;
        if (this.#written < piece.length) return this.#writePiece();
      } else this.dropped++;
      this.#piece = undefined;
      if (this.#waiting.length >= PIECE || this.#idle.length > 0) this.#next();
      else if (this.#waiting !== "") this.#timer ??= setTimeout(() => this.#next(), this.#flushMs).unref();
    });
  }

  async flush(): Promise<void> {
    if (this.#piece === undefined && this.#waiting === "") return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, FLUSH_PATIENCE_MS);
      this.#idle.push(() => {
        clearTimeout(timer);
        resolve();
      });
      this.#next();
    });
  }
}
