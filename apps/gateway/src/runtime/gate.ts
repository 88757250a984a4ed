import type { GatewayError } from "@signalbox/protocol";
import { overloaded } from "../http/refusals.ts";
import type { LagWatch } from "./lag-watch.ts";

/** What the gateway itself can be short of. */
export type Shortage = "lag" | "requests" | "connections" | "bodies";

/** Lets requests in, or refuses them before anything of them is read. */
export class Gate {
  maxRequests: number;
  readonly #lag: LagWatch;

  constructor(maxRequests: number, lag: LagWatch) {
    this.maxRequests = maxRequests;
    this.#lag = lag;
  }

  /** Why one more request beside those under way is not let in; undefined = it is. */
  refuses(inFlight: number): Shortage | undefined {
    if (inFlight >= this.maxRequests) return "requests";
    const { share } = this.#lag;
    return share > 0 && Math.random() < share ? "lag" : undefined;
  }

  /** What a refused client is told. */
  refusal(why: Shortage): GatewayError {
    if (why === "requests") return overloaded(`${this.maxRequests} requests are under way`);
    return overloaded(`the event loop is ${Math.round(this.#lag.lagMs)} ms late`);
  }
}
