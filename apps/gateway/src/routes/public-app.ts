import { GatewayError } from "@signalbox/protocol";
import { type Context, Hono } from "hono";
import { exchangeOf, type HeaderList } from "../http/exchange.ts";
import { requestIdOf } from "../http/request-id.ts";
import { deliverError } from "../request-path/deliver.ts";
import type { Serving } from "../runtime/serving.ts";
import { inferenceRoutes } from "./inference.ts";
import { livezRoute } from "./livez.ts";
import { modelRoutes } from "./models.ts";
import type { Route } from "./route.ts";

/** Every address of the public listener. */
export const publicRoutes: readonly Route[] = [...inferenceRoutes, ...modelRoutes, livezRoute];

/** The public listener's app; `serving` gives the config in force. */
export function createPublicApp(serving: () => Serving): Hono {
  const app = new Hono();
  for (const { method, path, handle } of publicRoutes) {
    const refuse = (c: Context) => {
      if (c.req.method === method || (method === "GET" && c.req.method === "HEAD")) return undefined;
      const error = new GatewayError(
        "method_not_allowed",
        `${c.req.method} is not for ${c.req.path.slice(0, 128)}: use ${method}`,
      );
      return answerError(c, error, ["allow", method === "GET" ? "GET, HEAD" : method]);
    };
    const hasRest = path.includes(":rest");
    app.all(path, (c) => {
      const refused = refuse(c);
      if (refused !== undefined) return refused;
      const exchange = exchangeOf(c);
      exchange.writeStallMs = serving().config.server.timeouts.writeMs;
      // Not awaited: the answer leaves through the exchange, and a handler never rejects.
      void handle(serving(), exchange, hasRest ? (c.req.param("rest") ?? "") : "");
      return exchange.response;
    });
  }
  app.notFound((c) =>
    answerError(
      c,
      new GatewayError("route_not_found", `there is nothing at ${c.req.method} ${c.req.path.slice(0, 128)}`),
    ),
  );
  app.onError((error, c) => answerError(c, new GatewayError("internal_error", "internal error", { cause: error })));
  return app;
}

function answerError(c: Context, error: GatewayError, headers: HeaderList = []): Response | Promise<Response> {
  const exchange = exchangeOf(c);
  deliverError(exchange, error, ["x-request-id", requestIdOf(exchange), ...headers]);
  return exchange.response;
}
