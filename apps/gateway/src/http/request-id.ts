import { randomUUID } from "node:crypto";
import type { HttpExchange } from "./exchange.ts";

/** The client's own `x-request-id`, if it is a harmless one (at most 128 letters, digits and `_.:-`), or a new one. */
export function requestIdOf(exchange: HttpExchange): string {
  const own = exchange.header("x-request-id");
  return own !== undefined && /^[\w.:-]{1,128}$/.test(own) ? own : randomUUID();
}
