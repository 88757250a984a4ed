import { z } from "zod";
import { defineFault, NO_ARGS } from "../fault.ts";

/** Nothing listens for a while. */
export const refuse = defineFault({
  does: "resets every connection and stops listening; listens again on the same port after `ms`, or when faults are cleared",
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
  answer: ({ exchange }) => exchange.socket.resetAndDestroy(),
});
