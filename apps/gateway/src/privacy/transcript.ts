import type { Reply, ReplyEvent } from "@signalbox/protocol";
import type { ReadRequest } from "../request-path/read-request.ts";
import { KeptText } from "../request-path/recovery/kept-text.ts";
import { boundedCopy } from "./bounded-copy.ts";
import type { Redaction } from "./redaction.ts";

/** Of the prompt and of the answer so many characters are written down, each. */
const MAX_CHARACTERS = 64 * 1024;
/** So much of an answer is kept until its end: what begins within the limit is seen whole. */
const MAX_KEPT = MAX_CHARACTERS + 4096;
const MAX_CHOICES = 16;
const MAX_CALLS = 64;

type Fields = Readonly<Record<string, unknown>>;

/** What a request and its answer say, redacted and cut to 64 Ki characters each. */
export interface TranscriptFacts {
  readonly prompt: unknown;
  /** A choice each; undefined = there was no answer. */
  readonly answer: unknown;
}

/** What was said in one request of a team with `log: full`: the prompt as it came, the answer as it left. */
export class Transcript {
  readonly #request: ReadRequest;
  readonly #redaction: Redaction;
  readonly #choices = new Map<number, ChoiceText>();
  /** Characters of the answer that may still be kept. */
  #room = MAX_KEPT;
  #embeddings = 0;

  constructor(request: ReadRequest, redaction: Redaction) {
    this.#request = request;
    this.#redaction = redaction;
  }

  /** What is held in memory for it, about. */
  get bytes(): number {
    return this.#request.bytes.length + MAX_KEPT - this.#room;
  }

  /** The same events at the same pace, read on their way. */
  async *watch(events: Reply): Reply {
    for await (const batch of events) {
      for (const event of batch) this.#take(event);
      yield batch;
    }
  }

  /** Reads the texts through: a millisecond of work or two, for when nobody waits. */
  facts(): TranscriptFacts {
    const { body } = this.#request;
    const copy = (value: unknown): unknown => boundedCopy(value, MAX_CHARACTERS, this.#redaction);
    const answer = [...this.#choices.values()].map((choice) => choice.told());
    return {
      prompt: copy(body.messages ?? body.prompt ?? body.input),
      answer: this.#embeddings > 0 ? { embeddings: this.#embeddings } : answer.length > 0 ? copy(answer) : undefined,
    };
  }

  #take(event: ReplyEvent): void {
    const { choices, data } = (event.json ?? {}) as { choices?: unknown; data?: unknown };
    if (Array.isArray(choices)) for (const choice of choices as Fields[]) this.#takeChoice(choice);
    else if (Array.isArray(data)) this.#embeddings += data.length;
  }

  #takeChoice(choice: Fields): void {
    const index = typeof choice.index === "number" ? choice.index : 0;
    let kept = this.#choices.get(index);
    if (kept === undefined) {
      if (this.#choices.size >= MAX_CHOICES) return;
      kept = new ChoiceText();
      this.#choices.set(index, kept);
    }
    this.#room -= kept.take(choice, this.#room);
  }
}

const texts = ["content", "reasoning_content", "reasoning", "refusal"] as const;

/** The parts of one choice, put together. */
class ChoiceText {
  readonly #parts = new Map<string, KeptText>();
  readonly #calls = new Map<number, { readonly id: unknown; readonly name: KeptText; readonly arguments: KeptText }>();
  #finish: unknown;
  #isCut = false;

  /** Adds a choice of an event; gives how many characters of `room` it took. */
  take(choice: Fields, room: number): number {
    let left = room;
    const add = (kept: KeptText, piece: unknown): void => {
      if (typeof piece !== "string" || piece === "") return;
      if (left <= 0) {
        this.#isCut = true;
        return;
      }
      kept.add(piece.length > left ? piece.slice(0, left) : piece);
      left -= piece.length;
    };
    const part = (choice.delta ?? choice.message ?? {}) as Fields;
    add(this.#part("text"), choice.text);
    for (const name of texts) add(this.#part(name), part[name]);
    if (Array.isArray(part.tool_calls)) for (const call of part.tool_calls as Fields[]) this.#takeCall(call, add);
    if (typeof choice.finish_reason === "string") this.#finish = choice.finish_reason;
    return room - left;
  }

  /** As the log has it; nothing that was not there. */
  told(): object {
    const calls = [...this.#calls.values()].map(({ id, name, arguments: given }) => {
      return { id, name: name.text(), arguments: given.text() };
    });
    const said = [...this.#parts].map(([name, kept]) => [name, kept.text()]).filter(([, text]) => text !== "");
    return {
      ...Object.fromEntries(said),
      ...(calls.length > 0 && { tool_calls: calls }),
      finish_reason: this.#finish,
      ...(this.#isCut && { cut: true }),
    };
  }

  #part(name: string): KeptText {
    let part = this.#parts.get(name);
    if (part === undefined) {
      part = new KeptText();
      this.#parts.set(name, part);
    }
    return part;
  }

  #takeCall(call: Fields, add: (kept: KeptText, piece: unknown) => void): void {
    const index = typeof call.index === "number" ? call.index : this.#calls.size;
    const { name, arguments: given } = (call.function ?? {}) as Fields;
    let known = this.#calls.get(index);
    if (known === undefined) {
      if (this.#calls.size >= MAX_CALLS) {
        this.#isCut = true;
        return;
      }
      known = { id: call.id, name: new KeptText(), arguments: new KeptText() };
      this.#calls.set(index, known);
    }
    add(known.name, name);
    add(known.arguments, given);
  }
}
