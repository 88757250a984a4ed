import { z } from "zod";
import { defineFault, NO_ARGS, type Strike } from "../fault.ts";
import type { ResponseHead } from "../kind.ts";
import { endsChoice } from "../outlet.ts";
import { asChunk, editFrame, finishFrame, hangUp, mapFrames, pour, strikeAfter } from "./outlets.ts";

/** Half of a JSON answer, its whole length announced. */
function sendHalf({ engine, exchange }: Strike<unknown>, head: ResponseHead, body: string): void {
  exchange.raw(engine.kind.head(head) + body.slice(0, Math.floor(body.length / 2)));
}

export const cut = defineFault({
  does: "closes the connection (FIN) after `after_tokens`, without the last chunk; a JSON body is cut in half",
  args: NO_ARGS,
  stream: (strike, inner) => strikeAfter(strike, inner, () => hangUp(strike.exchange)),
  whole: (strike, head, body) => {
    sendHalf(strike, head, body);
    hangUp(strike.exchange);
  },
});

export const cleanCut = defineFault({
  does: "ends the stream after `after_tokens` as HTTP wants it: last chunk and all, but no finish_reason and no `[DONE]`",
  args: NO_ARGS,
  stream: (strike, inner) => strikeAfter(strike, inner, () => strike.exchange.endChunks()),
});

export const resetMidway = defineFault({
  does: "resets the connection (RST) after `after_tokens`, or in the middle of a JSON body",
  args: NO_ARGS,
  stream: (strike, inner) => strikeAfter(strike, inner, () => strike.exchange.drop("reset")),
  whole: (strike, head, body) => {
    sendHalf(strike, head, body);
    strike.exchange.drop("reset");
  },
});

export const stall = defineFault({
  does: "sends nothing more after `after_tokens`, or after half of a JSON body, and keeps the connection open; goes on after `ms` when given (streams)",
  args: z.strictObject({ ms: z.number().min(0).optional() }),
  stream: (strike, inner) => {
    const { ms } = strike.args;
    if (ms === undefined) return strikeAfter(strike, inner, () => {});
    let held: (() => void)[] | undefined;
    let tokens = 0;
    let over = false;
    const pass = (action: () => void): void => {
      if (held === undefined) action();
      else held.push(action);
    };
    const resume = (): void => {
      const actions = held ?? [];
      held = undefined;
      over = true;
      for (const action of actions) action();
    };
    return {
      stopped: false,
      begin: inner.begin,
      frame: (text, role) => {
        if (!over && held === undefined && role !== "open" && tokens >= strike.afterTokens) {
          inner.flush();
          held = [];
          setTimeout(resume, ms);
        }
        if (role === "token") tokens += 1;
        pass(() => inner.frame(text, role));
      },
      flush: () => pass(inner.flush),
      end: () => pass(inner.end),
    };
  },
  whole: sendHalf,
});

export const malformedEvent = defineFault({
  does: "puts one event whose JSON is broken into the stream after `after_tokens`; all others arrive",
  args: NO_ARGS,
  stream: ({ afterTokens }, inner) => {
    let done = false;
    return mapFrames(inner, (text, role, tokens) => {
      if (done || role !== "token" || tokens <= afterTokens) return [text];
      done = true;
      return ['data: {"id":"broken","choices":[{"index":0,"delta":{"content":\n\n', text];
    });
  },
});

export const noDone = defineFault({
  does: "leaves out `[DONE]`; the finish_reason and a clean end arrive",
  args: NO_ARGS,
  stream: (_strike, inner) => mapFrames(inner, (text, role) => (role === "done" ? [] : [text])),
});

const unfinished = (frame: string): string =>
  editFrame(frame, (event) => {
    for (const choice of event.choices) choice.finish_reason = null;
  });

export const noFinish = defineFault({
  does: "sends `finish_reason: null` where the reason belongs; all text and `[DONE]` arrive",
  args: NO_ARGS,
  stream: (_strike, inner) => mapFrames(inner, (text, role) => (endsChoice(role) ? [unfinished(text)] : [text])),
});

export const longLine = defineFault({
  does: "sends a line of `bytes` (32 MB) without a line end after `after_tokens`, then closes",
  args: z.strictObject({
    bytes: z
      .number()
      .int()
      .min(1)
      .default(32 * 1024 * 1024),
  }),
  stream: (strike, inner) =>
    strikeAfter(strike, inner, () => {
      const { exchange, args } = strike;
      exchange.chunk('data: {"choices":[{"index":0,"delta":{"content":"');
      const part = asChunk("a".repeat(Math.min(65_536, args.bytes)));
      pour(exchange, part, args.bytes, () => hangUp(exchange));
    }),
});

export const bareError = defineFault({
  does: 'sends the line `{"error":"..."}` without `data:` after `after_tokens` and ends cleanly, without `[DONE]`',
  args: z.strictObject({ message: z.string().default("an error was encountered while running the model") }),
  stream: (strike, inner) =>
    strikeAfter(strike, inner, () => {
      strike.exchange.chunk(`${JSON.stringify({ error: strike.args.message })}\n`);
      strike.exchange.endChunks();
    }),
});

export const abortFinish = defineFault({
  does: 'finishes with `finish_reason: "abort"` after `after_tokens`, then `[DONE]`',
  args: NO_ARGS,
  stream: (strike, inner) =>
    strikeAfter(strike, inner, (next) => {
      strike.exchange.chunk(finishFrame(next, "abort"));
      strike.exchange.chunk("data: [DONE]\n\n");
      strike.exchange.endChunks();
    }),
});

export const flood = defineFault({
  does: "sends `bytes` (400 MB) of events after `after_tokens` as fast as the client reads, then finishes well",
  args: z.strictObject({ bytes: z.number().int().min(1).default(400_000_000) }),
  stream: (strike, inner) =>
    strikeAfter(strike, inner, (next) => {
      const { exchange, args } = strike;
      const one = asChunk(next);
      const part = one.repeat(
        Math.max(1, Math.min(Math.floor(65_536 / one.length), Math.ceil(args.bytes / one.length))),
      );
      pour(exchange, part, args.bytes, () => {
        exchange.chunk(finishFrame(next, "stop"));
        exchange.chunk("data: [DONE]\n\n");
        exchange.endChunks();
      });
    }),
});
