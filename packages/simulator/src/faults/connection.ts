import { z } from "zod";
import { defineFault, NO_ARGS } from "../fault.ts";

/** Nothing listens for a while. */
export const refuse = defineFault({
  does: "resets every connection and stops listening; listens again on the same port after `ms`, or when faults are cleared by a program",
  args: z.strictObject({ ms: z.number().min(0).optional() }),
  set: (engine, args) => {
    void engine.refuse(args.ms);
  },
});

export const silence = defineFault({
  does: "takes the request and never answers: not one byte, the connection stays open",
  args: NO_ARGS,
  answer: () => {},
});

export const reset = defineFault({
  does: "resets the connection (RST) before any byte of an answer",
  args: NO_ARGS,
  answer: ({ exchange }) => exchange.drop("reset"),
});

export const staleConnection = defineFault({
  does: "closes a kept connection without an answer when it is used again; a first request on a connection is answered",
  args: NO_ARGS,
  applies: (exchange) => exchange.ordinal > 1,
  answer: ({ exchange }) => exchange.drop("close"),
});
