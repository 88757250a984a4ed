import { errorBody, GatewayError } from "@signalbox/protocol";
import { overrides } from "@signalbox/router";
import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { z } from "zod";
import type { Serving } from "../runtime/serving.ts";
import type { RequestLog } from "../signals/request-log.ts";
import type { RoomLevels } from "../signals/signals.ts";
import { changeRefusal } from "./admin-guard.ts";
import { backendStatus, statusOf } from "./status.ts";

/** What the admin listener shows. */
export interface AdminView {
  serving(): Serving;
  /** Undefined = ready for traffic; else why not. */
  notReady(): string | undefined;
  room(): RoomLevels;
  readonly version: string;
  /** Only this machine can reach the listener. */
  readonly local: boolean;
  /** Told of every change. */
  readonly log: RequestLog;
}

/** What can be done with a backend by hand; `auto` gives it back. */
const BackendChange = z.strictObject({ action: z.enum([...overrides, "auto"]) });
export type BackendAction = z.infer<typeof BackendChange>["action"];
export const backendActions = BackendChange.shape.action.options;

const MAX_CHANGE_BYTES = 4096;

/**
 * The admin listener's app. `/readyz`, `/metrics`, `/status` and `/livez` are for everyone who reaches it and hold no secret;
 * `POST /backends/NAME` changes something and is guarded (see `changeRefusal`).
 */
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
  const limit = bodyLimit({ maxSize: MAX_CHANGE_BYTES, onError: () => refuse(tooLarge()) });
  app.post("/backends/:name", limit, (c) => changeBackend(c, view, c.req.param("name")));
  app.notFound((c) => refuse(new GatewayError("route_not_found", `there is nothing at ${c.req.path.slice(0, 128)}`)));
  app.onError((cause) => refuse(new GatewayError("internal_error", "internal error", { cause })));
  return app;
}

async function changeBackend(c: Context, { serving, local, log }: AdminView, name: string): Promise<Response> {
  const { config, backends } = serving();
  const refusal = changeRefusal((header) => c.req.header(header), { local, token: config.server.adminToken() });
  if (refusal !== undefined) {
    log.warn("change refused", { path: c.req.path.slice(0, 128), code: refusal.code });
    return refuse(refusal);
  }
  const backend = backends.get(name);
  if (backend === undefined) {
    const message = `there is no backend ${JSON.stringify(name.slice(0, 64))}: ${[...backends.keys()].join(", ")}`;
    return refuse(new GatewayError("route_not_found", message));
  }
  const change = BackendChange.safeParse(await c.req.json().catch(() => undefined));
  if (!change.success) {
    const message = `expected {"action": ACTION}, where ACTION is one of ${backendActions.join(", ")}`;
    return refuse(new GatewayError("invalid_request", message, { param: "action" }));
  }
  const { action } = change.data;
  const { state } = backend;
  const before = state.override ?? "auto";
  state.setOverride(action === "auto" ? undefined : action);
  log.warn("backend set by hand", { backend: name, action, before, in_flight: state.inFlight });
  return c.json(backendStatus(backend));
}

const tooLarge = (): GatewayError =>
  new GatewayError("request_too_large", `a change has at most ${MAX_CHANGE_BYTES} bytes`);

function refuse(error: GatewayError): Response {
  return Response.json(errorBody(error), { status: error.status });
}
