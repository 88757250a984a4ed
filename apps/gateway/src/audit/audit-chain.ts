import { createReadStream } from "node:fs";
import { type AuditRecord, noHash, readAuditLine, segmentAction, sha256 } from "./audit-line.ts";

/** What is wrong with a line. */
interface Fault {
  /** Number of the line, from 1 where the reading began. */
  readonly line: number;
  readonly why: string;
}

/** What an audit file says, and whether it can be believed. */
export interface AuditChain {
  readonly records: number;
  /** ISO times of the first and the last record. */
  readonly first: string | undefined;
  readonly last: string | undefined;
  /** Of the last record that could be read; 0 = none. */
  readonly seq: number;
  /** Hash of the last record that could be read. */
  readonly head: string;
  /** SHA-256 of the last line as it stands, and what a new segment links to. */
  readonly link: string;
  /** The first line that is not what it should be. A line torn by a crash, which a segment tells of, is not. */
  readonly broken: Fault | undefined;
  /** What is wrong behind the last segment, that no segment tells of yet. */
  readonly untold: Fault | undefined;
  /** That is the last line alone, which is no whole record: a crash does that. */
  readonly tornEnd: boolean;
  /** The first record links to a file before this one. */
  readonly begunBehind: string | undefined;
  /** Lines that a crash tore, and that the next line tells of. */
  readonly torn: number;
}

/** No line of ours is longer. */
const MAX_LINE_BYTES = 64 * 1024;

/**
 * Reads an audit file line by line, in little memory. `from` = begin at this byte: the line there is cut, and left out, and
 * the record behind it is believed.
 * @throws Error with the system's code when it cannot be read.
 */
export async function readAuditChain(file: string, from = 0): Promise<AuditChain> {
  const walk = new ChainWalk(from > 0);
  let rest: Buffer = Buffer.alloc(0);
  let skip = from > 0;
  for await (const chunk of createReadStream(file, { start: from }) as AsyncIterable<Buffer>) {
    let start = 0;
    for (let end = chunk.indexOf(0x0a); end >= 0; end = chunk.indexOf(0x0a, start)) {
      const line = Buffer.concat([rest, chunk.subarray(start, end)]);
      rest = Buffer.alloc(0);
      start = end + 1;
      if (skip) skip = false;
      else walk.line(line);
    }
    // What is too long to be a line of ours need not be kept whole to be found wrong.
    rest = Buffer.concat([rest, chunk.subarray(start)]).subarray(0, MAX_LINE_BYTES);
  }
  if (rest.length > 0 && !skip) walk.line(rest, "its end is missing: the last write did not finish");
  return walk.end();
}

class ChainWalk {
  #lines = 0;
  #records = 0;
  #first: string | undefined;
  #last: string | undefined;
  #seq = 0;
  #head: string;
  #link = noHash;
  #broken: Fault | undefined;
  #untold: Fault | undefined;
  #begunBehind: string | undefined;
  /** Torn, unless the next line tells of it. */
  #tornLine: Fault | undefined;
  #torn = 0;
  /** Nothing is known of what was before: the first record is believed. */
  #believes: boolean;

  constructor(believes: boolean) {
    this.#believes = believes;
    this.#head = noHash;
  }

  line(line: Buffer, why?: string): void {
    this.#lines++;
    const read = why === undefined ? readAuditLine(line) : undefined;
    if (read !== undefined) this.#record(read.record, read.sound);
    else {
      this.#settleTorn();
      this.#tornLine = { line: this.#lines, why: why ?? "it is no whole record" };
      this.#untold ??= this.#tornLine;
    }
    this.#link = sha256(line);
  }

  #record(record: AuditRecord, sound: boolean): void {
    const why = sound ? this.#faultOf(record) : "its hash is not that of its text";
    const isSegment = record.action === segmentAction;
    if (why === undefined && isSegment && record.result === "torn" && this.#tornLine !== undefined) {
      this.#torn++;
      this.#tornLine = undefined;
    }
    this.#settleTorn();
    if (why === undefined && isSegment) this.#untold = undefined;
    if (why !== undefined) this.#blame({ line: this.#lines, why });
    if (this.#records === 0 && isSegment && record.result === "moved") this.#begunBehind = record.prev;
    this.#believes = false;
    this.#records++;
    this.#first ??= record.time;
    this.#last = record.time;
    this.#seq = record.seq;
    this.#head = record.hash;
  }

  #faultOf(record: AuditRecord): string | undefined {
    if (this.#believes) return undefined;
    if (this.#lines === 1) {
      if (record.prev === noHash || record.action === segmentAction) return undefined;
      return "it is the first line, and says that there is one before it";
    }
    if (record.action === segmentAction) return record.prev === this.#link ? undefined : "it links to another line";
    if (record.prev !== this.#head) return "it does not follow the line before it";
    return record.seq === this.#seq + 1 ? undefined : `its number is ${record.seq}, after ${this.#seq}`;
  }

  #settleTorn(): void {
    if (this.#tornLine !== undefined) this.#blame(this.#tornLine);
    this.#tornLine = undefined;
  }

  #blame(fault: Fault): void {
    this.#broken ??= fault;
    this.#untold ??= fault;
  }

  end(): AuditChain {
    const tornEnd = this.#tornLine !== undefined && this.#untold === this.#tornLine;
    this.#settleTorn();
    return {
      records: this.#records,
      first: this.#first,
      last: this.#last,
      seq: this.#seq,
      head: this.#head,
      link: this.#link,
      broken: this.#broken,
      untold: this.#untold,
      tornEnd,
      begunBehind: this.#begunBehind,
      torn: this.#torn,
    };
  }
}
