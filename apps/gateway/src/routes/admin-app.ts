import { Hono } from "hono";
import type { Serving } from "../runtime/serving.ts";
import type { RoomLevels } from "../signals/signals.ts";
import { statusOf } from "./status.ts";

/** What the admin listener shows. */
export interface AdminView {
  serving(): Serving;
  /** Undefined = ready for traffic; else why not. */
  notReady(): string | undefined;
  room(): RoomLevels;
  readonly version: string;
}

/** The admin listener's app: `/readyz`, `/metrics`, `/status`, `/livez`. Holds no secret and changes nothing. */
export function createAdminApp(view: AdminView): Hono {
  const app = new Hono();
  app.get("/livez", (c) => c.json({ status: "ok" }));
  app.get("/readyz", (c) => {
    const why = view.notReady();
    return why === undefined ? c.json({ status: "ready" }) : c.json({ status: "not ready", reason: why }, 503);
  });
  app.get("/metrics", async (c) => {
    const { signals, backends } = view.serving();
    signals.gauges(backends.values(), view.room());
    const { metrics } = signals;
    return c.body(await metrics.text(), 200, { "content-type": metrics.contentType });
  });
  app.get("/status", (c) => c.json(statusOf(view.serving(), view.version, view.notReady())));
  app.notFound((c) =>
    c.json(
      {
        error: {
          message: `there is nothing at ${c.req.path.slice(0, 128)}`,
          type: "not_found_error",
          param: null,
          code: "route_not_found",
        },
      },
      404,
    ),
  );
  return app;
}
