import { z } from "zod";
import { defineFault, NO_ARGS } from "../fault.ts";
import { endsChoice, type Outlet } from "../outlet.ts";
import { editFrame, mapFrames } from "./outlets.ts";

const MULTI_LINE = /^data: (\{.*\})\n\n$/s;

/** How each style writes one event. */
const STYLES = {
  crlf: (text: string) => text.replaceAll("\n", "\r\n"),
  cr: (text: string) => text.replaceAll("\n", "\r"),
  multi_line: (text: string) => {
    const json = MULTI_LINE.exec(text)?.[1];
    if (json === undefined) return text;
    const comma = json.indexOf(",") + 1;
    return `data: ${json.slice(0, comma)}\ndata: ${json.slice(comma)}\n\n`;
  },
  comments: (text: string) => `: keep-alive\n${text}:\n\n`,
  event_lines: (text: string) => `event: message\nid: 7\nretry: 1000\n${text}`,
  no_space: (text: string) => text.replace(/^data: /, "data:"),
} satisfies Record<string, (text: string) => string>;
type Style = keyof typeof STYLES | "bom";
const styleNames: Style[] = [...(Object.keys(STYLES) as (keyof typeof STYLES)[]), "bom"];

export const sseStyle = defineFault({
  does: "writes events in another way that SSE allows: `style` is `crlf`, `cr`, `multi_line`, `comments`, `event_lines`, `no_space` or `bom`",
  args: z.strictObject({ style: z.enum(styleNames).default("crlf") }),
  stream: ({ args }, inner) => {
    const { style } = args;
    if (style !== "bom") return mapFrames(inner, (text) => [STYLES[style](text)]);
    let first = true;
    return mapFrames(inner, (text) => {
      const made = first ? `\ufeff${text}` : text;
      first = false;
      return [made];
    });
  },
});

/** Keeps the bytes of frames, and sends them in pieces of `size`. */
function sliced(inner: Outlet, size: number, send: (piece: Buffer) => void): Outlet {
  let waiting: Buffer[] = [];
  const drain = (): void => {
    const bytes = Buffer.concat(waiting);
    waiting = [];
    for (let at = 0; at < bytes.length; at += size) send(bytes.subarray(at, at + size));
  };
  return {
    stopped: false,
    begin: () => {
      inner.begin();
      inner.flush();
    },
    frame: (text) => {
      waiting.push(Buffer.from(text));
    },
    flush: drain,
    end: () => {
      drain();
      inner.end();
    },
  };
}

export const splitBytes = defineFault({
  does: "cuts the stream into HTTP chunks of `size` bytes (1), through the middle of characters, line ends and `data:`",
  args: z.strictObject({ size: z.number().int().min(1).default(1) }),
  stream: ({ exchange, args }, inner) => sliced(inner, args.size, (piece) => exchange.chunk(piece)),
});

export const splitAt = defineFault({
  does: "cuts the stream in two at byte `offset`, with `pause_ms` (5) between the parts",
  args: z.strictObject({ offset: z.number().int().min(1), pause_ms: z.number().min(0).default(5) }),
  stream: ({ exchange, args }, inner) => {
    const bytes: Buffer[] = [];
    return {
      stopped: false,
      begin: () => {
        inner.begin();
        inner.flush();
      },
      frame: (text) => {
        bytes.push(Buffer.from(text));
      },
      flush: () => {},
      end: () => {
        const all = Buffer.concat(bytes);
        exchange.chunk(all.subarray(0, args.offset));
        setTimeout(() => {
          exchange.chunk(all.subarray(args.offset));
          inner.end();
        }, args.pause_ms);
      },
    };
  },
});

export const invalidUtf8 = defineFault({
  does: "puts the bytes FF FE C3 into the text of the token after `after_tokens`",
  args: NO_ARGS,
  stream: ({ exchange, afterTokens }, inner) => {
    let tokens = 0;
    return {
      ...inner,
      stopped: false,
      frame: (text, role) => {
        if (role === "token") tokens += 1;
        if (role !== "token" || tokens !== afterTokens + 1) return inner.frame(text, role);
        inner.flush();
        const at = Math.max(text.indexOf('"content":"') + 11, text.indexOf('"text":"') + 8);
        exchange.chunk(
          Buffer.concat([Buffer.from(text.slice(0, at)), Buffer.from([0xff, 0xfe, 0xc3]), Buffer.from(text.slice(at))]),
        );
      },
    };
  },
});

export const afterDone = defineFault({
  does: "sends the last token and `[DONE]` a second time after `[DONE]`",
  args: NO_ARGS,
  stream: (_strike, inner) => {
    let last = "";
    return mapFrames(inner, (text, role) => {
      if (role === "token") last = text;
      return role === "done" ? [text, last, text] : [text];
    });
  },
});

export const duplicateFinish = defineFault({
  does: "sends every finish_reason twice",
  args: NO_ARGS,
  stream: (_strike, inner) => mapFrames(inner, (text, role) => (endsChoice(role) ? [text, text] : [text])),
});

const usageOf = (tokens: number): object => ({
  prompt_tokens: 10,
  completion_tokens: tokens,
  total_tokens: 10 + tokens,
});

export const usage = defineFault({
  does: "tells usage otherwise: `variant` is `null` (a last event with `usage: null`), `missing`, `early` (before the first token, too) or `cumulative` (on each token, counting up)",
  args: z.strictObject({ variant: z.enum(["null", "missing", "early", "cumulative"]).default("null") }),
  stream: ({ args }, inner) => {
    let early = args.variant === "early";
    const withUsage = (text: string, value: unknown, empty: boolean): string =>
      editFrame(text, (event) => {
        event.usage = value;
        if (empty) event.choices = [];
      });
    return mapFrames(inner, (text, role, tokens) => {
      if (args.variant === "missing") return role === "usage" ? [] : [text];
      if (args.variant === "cumulative") return role === "token" ? [withUsage(text, usageOf(tokens), false)] : [text];
      if (args.variant === "null") return role === "usage" ? [withUsage(text, null, true)] : [text];
      if (!early || role !== "token") return [text];
      early = false;
      return [withUsage(text, usageOf(0), true), text];
    });
  },
});
