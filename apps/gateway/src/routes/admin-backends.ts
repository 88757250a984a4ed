import { GatewayError } from "@signalbox/protocol";
import { overrides } from "@signalbox/router";
import type { Context } from "hono";
import { z } from "zod";
import { type AdminView, admit, refuse } from "./admin-access.ts";
import { backendStatus } from "./status.ts";

/** What can be done with a backend by hand; `auto` gives it back. */
const BackendChange = z.strictObject({ action: z.enum([...overrides, "auto"]) });
export type BackendAction = z.infer<typeof BackendChange>["action"];
export const backendActions = BackendChange.shape.action.options;

/** `POST /backends/NAME`: sets a backend by hand, and answers with its state. */
export async function changeBackend(c: Context, view: AdminView, name: string): Promise<Response> {
  const who = admit(c, view, { role: "operator", kind: "change" });
  const { backends } = view.serving();
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
  await view.audit.record({ ...who, action: `backend.${action}`, target: name, before, after: action, result: "ok" });
  state.setOverride(action === "auto" ? undefined : action);
  view.log.warn("backend set by hand", { backend: name, action, before, by: who.actor, in_flight: state.inFlight });
  return c.json(backendStatus(backend));
}
