import type { Answer } from "./answer.ts";
import type { SimulatedKind, StreamWire, Turn } from "./kind.ts";
import type { FrameRole, Outlet } from "./outlet.ts";

/** The pace of an answer. */
export interface Pace {
  readonly firstTokenMs: number;
  /** 0 = no pause. */
  readonly msPerToken: number;
  /** Frames before the first token leave at once, not with it. */
  readonly opensEarly: boolean;
}

/** A streamed answer as it will leave, frame by frame. */
export interface Frames {
  readonly texts: readonly string[];
  readonly roles: readonly FrameRole[];
}

const frameOf = (json: string): string => `data: ${json}\n\n`;

function framesOfChoice(kind: SimulatedKind, wire: StreamWire, answer: Answer): Frames {
  const texts: string[] = [];
  const roles: FrameRole[] = [];
  const add = (text: string, role: FrameRole): void => {
    texts.push(text);
    roles.push(role);
  };
  for (const json of wire.open(answer)) add(frameOf(json), "open");
  let first = true;
  const addPieces = (
    pieces: readonly string[],
    template: (first: boolean) => readonly [string, string] | undefined,
  ): void => {
    if (pieces.length === 0) return;
    const later = template(false);
    if (later === undefined) return;
    for (const piece of pieces) {
      const [before, after] = first ? (template(true) ?? later) : later;
      add(`data: ${before}${kind.escape(piece)}${after}\n\n`, "token");
      first = false;
    }
  };
  addPieces(answer.reasoningPieces, (isFirst) => wire.reasoning(answer, isFirst));
  addPieces(answer.textPieces, (isFirst) => wire.text(answer, isFirst));
  const ending = answer.calls.length === 0 && answer.textPieces.length > 0 ? wire.finishWithText?.(answer) : undefined;
  if (ending !== undefined) {
    texts.pop();
    roles.pop();
    const [before, after] = ending;
    add(`data: ${before}${kind.escape(answer.textPieces.at(-1) ?? "")}${after}\n\n`, "last");
    return { texts, roles };
  }
  for (const [index, call] of answer.calls.entries()) {
    for (const json of wire.call(answer, call, index, first)) add(frameOf(json), "token");
    first = false;
  }
  for (const json of wire.finish(answer)) add(frameOf(json), "finish");
  return { texts, roles };
}

/** Writes a turn down as frames; the choices take turns. */
export function renderFrames(kind: SimulatedKind, wire: StreamWire, answers: readonly Answer[]): Frames {
  const parts = answers.map((answer) => framesOfChoice(kind, wire, answer));
  const texts: string[] = [];
  const roles: FrameRole[] = [];
  const longest = Math.max(...parts.map((part) => part.texts.length));
  if (parts.length === 1 && parts[0] !== undefined) {
    texts.push(...parts[0].texts);
    roles.push(...parts[0].roles);
  } else {
    for (let index = 0; index < longest; index += 1) {
      for (const part of parts) {
        const text = part.texts[index];
        if (text === undefined) continue;
        texts.push(text);
        roles.push(part.roles[index] ?? "token");
      }
    }
  }
  for (const json of wire.close()) {
    texts.push(frameOf(json));
    roles.push("usage");
  }
  texts.push("data: [DONE]\n\n");
  roles.push("done");
  return { texts, roles };
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
  const { texts, roles } = frames;
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
        const text = texts[next] ?? "";
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
