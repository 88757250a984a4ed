import { z } from "zod";
import type { Engine } from "./engine.ts";
import type { Exchange } from "./http-server.ts";
import type { ResponseHead } from "./kind.ts";
import type { Outlet } from "./outlet.ts";

/** A fault that struck a request. */
export interface Strike<Args> {
  readonly exchange: Exchange;
  readonly args: Args;
  /** Tokens that go out before it; 3 when not given. */
  readonly afterTokens: number;
  readonly engine: Engine;
}

/** One way to fail. It acts at one or more of four points; a missing one means that it changes nothing there. */
export interface Fault<Schema extends z.ZodType = z.ZodType> {
  /** What is seen on the wire, in one sentence. */
  readonly does: string;
  readonly args: Schema;
  /** Strikes this request at all? */
  applies?(exchange: Exchange): boolean;
  /** Answers in place of the engine. */
  answer?(strike: Strike<z.infer<Schema>>): void;
  /** Changes the head of a genuine answer. */
  head?(strike: Strike<z.infer<Schema>>, head: ResponseHead): ResponseHead;
  /** Stands between the engine and the socket for a streamed answer. */
  stream?(strike: Strike<z.infer<Schema>>, inner: Outlet, head: string): Outlet;
  /** Sends a whole answer in its own way. */
  whole?(strike: Strike<z.infer<Schema>>, head: ResponseHead, body: string): void;
  /** Acts on the listener when it is set. */
  set?(engine: Engine, args: z.infer<Schema>): void;
}

/** Keeps the types of a fault's arguments together. */
export function defineFault<Schema extends z.ZodType>(fault: Fault<Schema>): Fault<Schema> {
  return fault;
}

/** For faults without arguments. */
export const NO_ARGS = z.strictObject({});
