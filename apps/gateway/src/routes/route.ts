import type { HttpExchange } from "../http/exchange.ts";
import type { Serving } from "../runtime/serving.ts";

/** One address of the public listener. */
export interface Route {
  readonly method: "GET" | "POST";
  /** Hono's syntax. */
  readonly path: string;
  /** Open to everyone, without a key. */
  readonly open?: true;
  /** Answers; must not reject. `rest` = what a path parameter `rest` matched. */
  handle(serving: Serving, exchange: HttpExchange, rest: string): Promise<void> | void;
}
