const DATA = "data: ";
const END = "\n\n";

/**
 * One event of a reply: an SSE event, or the whole body of a JSON reply. It is a window on bytes that are handed on as
 * they came; JSON is parsed once, and only if someone asks.
 */
export class ReplyEvent {
  /** The buffer that holds the event; events that came in one read share it. */
  readonly source: Buffer;
  /** Where the event begins and ends in `source`, as it leaves: for SSE from `data:` to after the blank line. */
  readonly start: number;
  readonly end: number;
  readonly #dataStart: number;
  readonly #dataEnd: number;
  #text: string | undefined;
  #json: unknown;
  #parsed = false;

  constructor(source: Buffer, start: number, end: number, dataStart: number, dataEnd: number) {
    this.source = source;
    this.start = start;
    this.end = end;
    this.#dataStart = dataStart;
    this.#dataEnd = dataEnd;
  }

  /** An SSE event made by us. */
  static ofJson(value: unknown): ReplyEvent {
    return ReplyEvent.ofText(JSON.stringify(value));
  }

  /** An SSE event with this one-line payload. */
  static ofText(data: string): ReplyEvent {
    const source = Buffer.from(`${DATA}${data}${END}`);
    return new ReplyEvent(source, 0, source.length, DATA.length, source.length - END.length);
  }

  /** A comment, which readers of the stream skip: it shows that the stream is alive. */
  static ofComment(text: string): ReplyEvent {
    const source = Buffer.from(`: ${text}\n\n`);
    return new ReplyEvent(source, 0, source.length, 0, 0);
  }

  /** The body of a reply that is not a stream. */
  static ofBody(body: Buffer): ReplyEvent {
    return new ReplyEvent(body, 0, body.length, 0, body.length);
  }

  /** The payload as text. Broken UTF-8 becomes U+FFFD. */
  get text(): string {
    this.#text ??= this.source.toString("utf8", this.#dataStart, this.#dataEnd);
    return this.#text;
  }

  /** True for OpenAI's terminator, `data: [DONE]`. */
  get isDone(): boolean {
    const { source } = this;
    if (source[this.#dataStart] !== 0x5b || source[this.#dataStart + 1] !== 0x44) return false;
    return this.text.trim() === "[DONE]";
  }

  /** The payload parsed, or undefined when it is not JSON. */
  get json(): unknown {
    if (!this.#parsed) {
      this.#parsed = true;
      try {
        this.#json = JSON.parse(this.text);
      } catch {
        this.#json = undefined;
      }
    }
    return this.#json;
  }

  /** Lets go of what was read of it, for as long as it must wait; it is read anew if someone asks. */
  release(): void {
    this.#text = undefined;
    this.#json = undefined;
    this.#parsed = false;
  }
}

/** A reply, streamed or not: batches of events in order. A JSON reply is one batch of one event. */
export type Reply = AsyncIterable<readonly ReplyEvent[]>;
