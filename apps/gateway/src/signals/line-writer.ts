import { type LineSink, openLineSink } from "./line-sink.ts";

export interface LineWriterOptions {
  /** Where lines go: a file descriptor, or what writes to one. */
  readonly fd: number | LineSink;
  /** Milliseconds that a line waits for company; 50 unless told. */
  readonly flushMs?: number;
  /** Characters that may wait for a reader that is slow; beyond that lines are dropped and counted. 8 Mi unless told. */
  readonly maxWaiting?: number;
}

/** Writes lines in large pieces, in the background; never holds up who writes. */
export interface LineWriter {
  write(line: string): void;
  /** Lines that nobody took: the reader was too slow or gone, or the disk was full. */
  readonly dropped: number;
  /** Half of what may wait is taken. */
  readonly isBehind: boolean;
  /** Resolves when all that was written until now is out, or after a second, when the rest is given up: for the end of a process. */
  flush(): Promise<void>;
}

const PIECE = 64 * 1024;
/** A pipe that is full is tried again after this long. */
const RETRY_MS = 10;
/** A reader that takes nothing at the end of the process does not get to hold it. */
const FLUSH_PATIENCE_MS = 1000;

/** A writer of lines that waits for nobody. */
export function createLineWriter({ fd, flushMs = 50, maxWaiting = 8 * 1024 * 1024 }: LineWriterOptions): LineWriter {
  return new BatchingWriter(typeof fd === "number" ? openLineSink(fd) : fd, flushMs, maxWaiting);
}

class BatchingWriter implements LineWriter {
  dropped = 0;
  readonly #sink: LineSink;
  readonly #flushMs: number;
  readonly #maxWaiting: number;
  #waiting = "";
  #waitingLines = 0;
  /** What is being written now. */
  #piece: Buffer | undefined;
  #pieceLines = 0;
  #written = 0;
  /** A line was begun and not ended: the next one must not be taken for its end. */
  #torn = false;
  #timer: NodeJS.Timeout | undefined;
  /** Called when nothing waits any more. */
  #idle: (() => void)[] = [];

  constructor(sink: LineSink, flushMs: number, maxWaiting: number) {
    this.#sink = sink;
    this.#flushMs = flushMs;
    this.#maxWaiting = maxWaiting;
  }

  get isBehind(): boolean {
    return this.#waiting.length * 2 > this.#maxWaiting;
  }

  write(line: string): void {
    if (this.#waiting.length + line.length > this.#maxWaiting) {
      this.dropped++;
      return;
    }
    this.#waiting += line;
    this.#waitingLines++;
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
    this.#piece = Buffer.from(this.#torn ? `\n${this.#waiting}` : this.#waiting);
    this.#pieceLines = this.#waitingLines;
    this.#written = 0;
    this.#waiting = "";
    this.#waitingLines = 0;
    this.#writePiece();
  }

  #writePiece(): void {
    const piece = this.#piece!;
    this.#sink.write(piece, this.#written, (error, taken) => {
      if (error?.code === "EAGAIN" || error?.code === "EINTR") {
        setTimeout(() => this.#writePiece(), RETRY_MS).unref();
        return;
      }
      if (error === null) {
        this.#written += taken;
        if (this.#written < piece.length) return this.#writePiece();
        this.#torn = false;
      } else this.#lose(piece);
      this.#piece = undefined;
      if (this.#waiting.length >= PIECE || this.#idle.length > 0) this.#next();
      else if (this.#waiting !== "") this.#timer ??= setTimeout(() => this.#next(), this.#flushMs).unref();
    });
  }

  /** Of a piece that was taken in part, the lines that were not are lost. */
  #lose(piece: Buffer): void {
    let whole = 0;
    for (let at = piece.indexOf(0x0a); at >= 0 && at < this.#written; at = piece.indexOf(0x0a, at + 1)) whole++;
    if (this.#torn && this.#written > 0) whole--;
    this.dropped += this.#pieceLines - whole;
    if (this.#written > 0) this.#torn = piece[this.#written - 1] !== 0x0a;
  }

  async flush(): Promise<void> {
    if (this.#piece === undefined && this.#waiting === "") return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => {
        this.#sink.giveUp();
        resolve();
      }, FLUSH_PATIENCE_MS);
      this.#idle.push(() => {
        clearTimeout(timer);
        resolve();
      });
      this.#next();
    });
  }
}
