import type { Route } from "./route.ts";

/** `GET /livez`: the process serves. The one address without a key. */
export const livezRoute: Route = {
  method: "GET",
  path: "/livez",
  open: true,
  handle: (_serving, exchange) => exchange.send(200, ["content-type", "application/json"], '{"status":"ok"}'),
};
