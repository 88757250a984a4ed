import { hash, timingSafeEqual } from "node:crypto";
import { GatewayError } from "@signalbox/protocol";
import { isLoopback } from "../config/units.ts";

/** What decides who may change something through the admin listener. */
export interface AdminAccess {
  /** Only this machine can reach the listener. */
  readonly local: boolean;
  /** What a change must show as `authorization: Bearer`; undefined = nothing, and only a local listener takes changes. */
  readonly token: string | undefined;
}

/**
 * Why a request may not change anything; undefined = it may. A page in an operator's browser can reach the loopback too: it
 * cannot send JSON to another origin unasked, and a name that it rebinds to the loopback shows in `host`.
 */
export function changeRefusal(
  header: (name: string) => string | undefined,
  { local, token }: AdminAccess,
): GatewayError | undefined {
  const host = header("host") ?? "";
  const origin = header("origin");
  if (origin !== undefined && origin !== `http://${host}` && origin !== `https://${host}`) {
    return new GatewayError("change_not_allowed", "changes are not taken from pages of another origin");
  }
  if (!/^application\/json\s*(;|$)/i.test(header("content-type") ?? "")) {
    return new GatewayError("invalid_request", "a change is sent as JSON, with `content-type: application/json`");
  }
  if (token !== undefined) return showsToken(header("authorization"), token) ? undefined : noToken();
  if (!local) {
    const message = "the admin listener can be reached by others: it takes changes only with `server.admin_token_file`";
    return new GatewayError("change_not_allowed", message);
  }
  if (isLoopback(hostName(host))) return undefined;
  return new GatewayError(
    "change_not_allowed",
    "changes are taken under a name of this machine alone, such as localhost",
  );
}

/** In a time that says nothing about the token. */
function showsToken(authorization: string | undefined, token: string): boolean {
  const shown = /^bearer +(\S+)$/i.exec(authorization ?? "")?.[1] ?? "";
  return timingSafeEqual(hash("sha256", shown, "buffer"), hash("sha256", token, "buffer"));
}

const noToken = (): GatewayError =>
  new GatewayError("invalid_api_key", "a change needs the admin token: send it as `authorization: Bearer TOKEN`");

/** Of a `host` header, without the port and an IPv6 address's brackets. */
function hostName(host: string): string {
  return host.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1");
}
