import type { HttpBindings } from "@hono/node-server";
import { errorBody, GatewayError } from "@signalbox/protocol";
import type { Context } from "hono";
import type { Advisor } from "../advice/advisor.ts";
import type { AuditLog } from "../audit/audit-log.ts";
import type { ReportData } from "../report/report-data.ts";
import type { Serving } from "../runtime/serving.ts";
import type { RequestLog } from "../signals/request-log.ts";
import type { RoomLevels } from "../signals/scrape-gauges.ts";
import type { StoreLevel } from "../store/store-level.ts";
import type { FailureThrottle } from "../teams/failure-throttle.ts";
import type { StoredKeys } from "../teams/stored-keys.ts";
import { type AdminNeed, admitAdmin } from "./admin-guard.ts";

/** What the admin listener shows, and what it does it with. */
export interface AdminView {
  serving(): Serving;
  /** Undefined = ready for traffic; else why not. */
  notReady(): string | undefined;
  room(): RoomLevels;
  advisor(): Advisor;
  /** What is known of the last minutes. */
  report(minutes: number): ReportData;
  /** How the shared store is; undefined = there is none. */
  readonly store: (() => StoreLevel) | undefined;
  readonly version: string;
  /** Only this machine can reach the listener. */
  readonly local: boolean;
  /** Told of every change. */
  readonly log: RequestLog;
  /** Keeps every change, before it is done. */
  readonly audit: AuditLog;
  /** The keys of the store; undefined = there is none, and keys stand in the policy file alone. */
  readonly stored: StoredKeys | undefined;
  /** Counts wrong tokens by address. */
  readonly throttle: FailureThrottle;
}

/** Who asks, as the audit file has it. */
export interface AdminActor {
  readonly actor: string;
  readonly role: string;
  readonly address: string;
}

/**
 * Who asks, where they may do what they ask for.
 * @throws GatewayError `invalid_api_key`, `too_many_failed_keys`, `role_not_sufficient`, `change_not_allowed`, `invalid_request`.
 */
export function admit(c: Context, view: AdminView, need: AdminNeed): AdminActor {
  const { config, signals } = view.serving();
  const { server } = config;
  const access = { local: view.local, tokens: server.adminTokens(), guardsReading: server.guardsReading };
  const address = (c.env as HttpBindings | undefined)?.incoming?.socket.remoteAddress ?? "";
  const admitted = admitAdmin((name) => c.req.header(name), access, need);
  if (!("error" in admitted)) return { actor: admitted.name, role: admitted.role, address };
  const refusal = throttled(admitted.error, address, view.throttle);
  const { code } = refusal;
  signals.metrics.counter("signalbox_admin_refusals_total", { code }).value++;
  if (need.kind === "change") view.log.warn("change refused", { path: c.req.path.slice(0, 128), code });
  // What the client wrote is not for the file: it may be anything.
  const action = `${c.req.method === "POST" ? "post" : "get"} ${c.req.routePath}`;
  const { name: actor = "unknown", role = "none" } = admitted.actor ?? {};
  view.audit.refused({ actor, role, address, action, target: null, result: code });
  throw refusal;
}

/** A wrong token, of which there were too many from that address. */
function throttled(refusal: GatewayError, address: string, throttle: FailureThrottle): GatewayError {
  const retryAfterMs = refusal.code === "invalid_api_key" ? throttle.fail(address) : 0;
  if (retryAfterMs === 0) return refusal;
  return new GatewayError("too_many_failed_keys", "too many wrong admin tokens from this address", { retryAfterMs });
}

/** The answer of an error. */
export function refuse(error: GatewayError): Response {
  const { status, retryAfterMs } = error;
  const headers = retryAfterMs === undefined ? undefined : { "retry-after": String(Math.ceil(retryAfterMs / 1000)) };
  return Response.json(errorBody(error), headers === undefined ? { status } : { status, headers });
}
