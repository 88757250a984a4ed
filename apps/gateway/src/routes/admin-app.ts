import { GatewayError } from "@signalbox/protocol";
import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { MOST_MINUTES } from "../report/minute-counts.ts";
import { type AdminView, admit, refuse } from "./admin-access.ts";
import { changeBackend } from "./admin-backends.ts";
import type { AdminNeed } from "./admin-guard.ts";
import { answerKeyList, changeKeys } from "./admin-keys.ts";
import { answerMetrics } from "./metrics.ts";
import { statusOf } from "./status.ts";

const MAX_CHANGE_BYTES = 4096;
const reading: AdminNeed = { role: "viewer", kind: "read" };

/**
 * The admin listener's app. `/livez` and `/readyz` are for everyone who reaches it; `/metrics`, `/status`, `/advice`
 * and `/report` hold no secret, and are guarded where the config has `server.admin_tokens`; what changes something always is (see
 * `admitAdmin`).
 */
export function createAdminApp(view: AdminView): Hono {
  const app = new Hono();
  app.get("/livez", (c) => c.json({ status: "ok" }));
  app.get("/readyz", (c) => {
    const why = view.notReady();
    return why === undefined ? c.json({ status: "ready" }) : c.json({ status: "not ready", reason: why }, 503);
  });
  app.get("/metrics", (c) => {
    admit(c, view, reading);
    return answerMetrics(c, view);
  });
  app.get("/status", (c) => {
    admit(c, view, reading);
    return c.json(statusOf(view.serving(), view.version, view.notReady(), view.store?.()));
  });
  app.get("/advice", (c) => {
    admit(c, view, reading);
    return c.json(view.advisor().report());
  });
  app.get("/report", (c) => {
    admit(c, view, reading);
    const { minutes = "60" } = c.req.query();
    if (/^[1-9]\d{0,3}$/.test(minutes) && Number(minutes) <= MOST_MINUTES) return c.json(view.report(Number(minutes)));
    const message = `minutes=${minutes.slice(0, 16)}: expected 1 to ${MOST_MINUTES}`;
    return refuse(new GatewayError("invalid_request", message, { param: "minutes" }));
  });
  const limit = bodyLimit({ maxSize: MAX_CHANGE_BYTES, onError: () => refuse(tooLarge()) });
  app.get("/keys", (c) => answerKeyList(c, view));
  app.post("/keys", limit, (c) => changeKeys(c, view));
  app.post("/backends/:name", limit, (c) => changeBackend(c, view, c.req.param("name")));
  app.notFound((c) => refuse(new GatewayError("route_not_found", `there is nothing at ${c.req.path.slice(0, 128)}`)));
  app.onError((error) => {
    if (error instanceof GatewayError) return refuse(error);
    return refuse(new GatewayError("internal_error", "internal error", { cause: error }));
  });
  return app;
}

const tooLarge = (): GatewayError =>
  new GatewayError("request_too_large", `a change has at most ${MAX_CHANGE_BYTES} bytes`);
