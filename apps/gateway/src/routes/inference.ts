import { type Endpoint, endpoints } from "@signalbox/protocol";
import type { HttpExchange } from "../http/exchange.ts";
import { requestIdOf } from "../http/request-id.ts";
import { deliverError } from "../request-path/deliver.ts";
import { serveInference } from "../request-path/serve.ts";
import type { Shortage } from "../runtime/gate.ts";
import type { Serving } from "../runtime/serving.ts";
import { inferencePaths } from "./inference-paths.ts";
import type { Route } from "./route.ts";

/** `POST /v1/chat/completions`, `/v1/completions`, `/v1/embeddings`. */
export const inferenceRoutes: readonly Route[] = endpoints.map((endpoint) => ({
  method: "POST",
  path: inferencePaths[endpoint],
  handle: (serving, exchange) => {
    const why = serving.gate.refuses(serving.signals.inFlight);
    return why === undefined ? serveInference(serving, exchange, endpoint) : shed(serving, exchange, endpoint, why);
  },
}));

/** Refuses a request of which nothing is read but its head. Without a line in the log: there may be very many. */
function shed({ gate, signals }: Serving, exchange: HttpExchange, endpoint: Endpoint, why: Shortage): void {
  signals.shed(why, endpoint);
  exchange.leaveBody();
  deliverError(exchange, gate.refusal(why), ["x-request-id", requestIdOf(exchange)]);
}
