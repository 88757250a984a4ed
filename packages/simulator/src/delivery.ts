import type { Answer } from "./answer.ts";
import type { StreamWire, Template, Turn } from "./kind.ts";
import type { FrameRole, Outlet } from "./outlet.ts";

/** The pace of an answer. */
export interface Pace {
  readonly firstTokenMs: number;
  /** 0 = no pause. */
  readonly msPerToken: number;
  /** Frames before the first token leave at once, not with it. */
  readonly opensEarly: boolean;
}

/** A streamed answer as it will leave, frame by frame; a piece of text is put into its template when it is sent. */
export interface Frames {
  readonly roles: FrameRole[];
  /** A whole frame, or the JSON string that goes into the template at the same place. */
  readonly texts: string[];
  readonly templates: (Template | undefined)[];
}

const emptyFrames = (): Frames => ({ roles: [], texts: [], templates: [] });

function add(frames: Frames, role: FrameRole, text: string, template?: Template): void {
  frames.roles.push(role);
  frames.texts.push(text);
  frames.templates.push(template);
}

function addEvents(frames: Frames, role: FrameRole, events: readonly string[]): void {
  for (const json of events) add(frames, role, `data: ${json}\n\n`);
}

const framed = ([before, after]: Template): Template => [`data: ${before}`, `${after}\n\n`];

type TemplateOf = (first: boolean) => Template | undefined;

/** Adds one frame a piece; true = something with content was sent before or now. */
function addPieces(frames: Frames, pieces: readonly string[], template: TemplateOf, begun: boolean): boolean {
  const later = pieces.length === 0 ? undefined : template(false);
  if (later === undefined) return begun;
  const rest = framed(later);
  for (const [index, piece] of pieces.entries()) {
    add(frames, "token", piece, index === 0 && !begun ? framed(template(true) ?? later) : rest);
  }
  return true;
}

function framesOfChoice(wire: StreamWire, answer: Answer): Frames {
  const frames = emptyFrames();
  addEvents(frames, "open", wire.open(answer));
  let begun = addPieces(frames, answer.reasoningJson, (first) => wire.reasoning(answer, first), false);
  begun = addPieces(frames, answer.textJson, (first) => wire.text(answer, first), begun);
  const plain = answer.calls.length === 0 && answer.textJson.length > 0;
  const ending = plain ? wire.finishWithText?.(answer) : undefined;
  if (ending !== undefined) {
    const last = frames.texts.length - 1;
    frames.roles[last] = "last";
    frames.templates[last] = framed(ending);
    return frames;
  }
  for (const [index, call] of answer.calls.entries()) {
    addEvents(frames, "token", wire.call(answer, call, index, !begun));
    begun = true;
  }
  addEvents(frames, "finish", wire.finish(answer));
  return frames;
}

/** Puts the frames of several choices in turn. */
function interleave(parts: readonly Frames[]): Frames {
  const frames = emptyFrames();
  const longest = Math.max(...parts.map((part) => part.texts.length));
  for (let index = 0; index < longest; index += 1) {
    for (const part of parts) {
      const role = part.roles[index];
      if (role !== undefined) add(frames, role, part.texts[index] ?? "", part.templates[index]);
    }
  }
  return frames;
}

/** Writes a turn down as frames; several choices take turns. */
export function renderFrames(wire: StreamWire, answers: readonly Answer[]): Frames {
  const parts = answers.map((answer) => framesOfChoice(wire, answer));
  const only = parts.length === 1 ? parts[0] : undefined;
  const frames = only ?? interleave(parts);
  addEvents(frames, "usage", wire.close());
  addEvents(frames, "done", ["[DONE]"]);
  return frames;
}

/** Puts the tokens so far into every event that has choices. */
export function addUsage(frames: Frames, usageSoFar: (completionTokens: number) => string): void {
  const { roles, texts, templates } = frames;
  let tokens = 0;
  for (const [index, role] of roles.entries()) {
    if (role === "usage" || role === "done") continue;
    if (role === "token" || role === "last") tokens += 1;
    const [before, after] = templates[index] ?? ["", ""];
    const whole = `${before}${texts[index] ?? ""}${after}`;
    texts[index] = whole.replace(/(,"usage":null)?\}\n\n$/, `,"usage":${usageSoFar(tokens)}}\n\n`);
    templates[index] = undefined;
  }
}

/** What the sender tells its owner. */
export interface DeliveryEvents {
  /** So many tokens more were handed over. */
  tokens(count: number): void;
  /** Room for more bytes? */
  writable(): boolean;
  /** The last frame was handed over. */
  ended(): void;
}

/**
 * Sends frames at the given pace: token i leaves `firstTokenMs + i * msPerToken` after now, several at once when time
 * ran ahead. Resolves nothing: the outlet ends the answer. The returned function stops it.
 */
export function deliverFrames(
  frames: Frames,
  outlet: Outlet,
  pace: Pace,
  restamp: ((text: string) => string) | undefined,
  events: DeliveryEvents,
): () => void {
  const { texts, roles, templates } = frames;
  const started = performance.now();
  let next = 0;
  let sent = 0;
  let timer: NodeJS.Timeout | undefined;
  const step = (): void => {
    const elapsed = performance.now() - started;
    const free = pace.msPerToken === 0;
    const late = elapsed - pace.firstTokenMs + 0.5;
    const due = late < 0 ? 0 : free ? Number.POSITIVE_INFINITY : Math.floor(late / pace.msPerToken) + 1;
    const before = sent;
    if (events.writable()) {
      while (next < texts.length && !outlet.stopped) {
        const role = roles[next] ?? "token";
        const spends = role === "token" || role === "last";
        if (spends && sent >= due) break;
        const template = templates[next];
        const piece = texts[next] ?? "";
        const text = template === undefined ? piece : template[0] + piece + template[1];
        outlet.frame(restamp === undefined ? text : restamp(text), role);
        if (spends) sent += 1;
        next += 1;
      }
      outlet.flush();
    }
    if (sent > before) events.tokens(sent - before);
    if (outlet.stopped) return;
    if (next >= texts.length) {
      events.ended();
      outlet.end();
      return;
    }
    const wait = pace.firstTokenMs + sent * pace.msPerToken - (performance.now() - started);
    timer = setTimeout(step, Math.max(1, Math.ceil(wait)));
  };
  if (pace.firstTokenMs > 0 && !pace.opensEarly) timer = setTimeout(step, pace.firstTokenMs);
  else step();
  return () => clearTimeout(timer);
}

/** Moves `created` on to the present in frames of kinds that stamp each chunk. */
export function createRestamp(turn: Turn): (text: string) => string {
  const stamp = `"created":${turn.created}`;
  return (text) => {
    const now = Math.floor(Date.now() / 1000);
    return now === turn.created ? text : text.replace(stamp, `"created":${now}`);
  };
}
