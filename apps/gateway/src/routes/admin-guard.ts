import { hash, timingSafeEqual } from "node:crypto";
import { GatewayError } from "@signalbox/protocol";
import { type AdminRole, type AdminToken, adminRoles } from "../config/config.ts";
import { isLoopback } from "../config/units.ts";

/** What decides who may do something through the admin listener. */
export interface AdminAccess {
  /** Only this machine can reach the listener. */
  readonly local: boolean;
  /** What a request must show as `authorization: Bearer`; none = nothing, and only a local listener takes changes. */
  readonly tokens: readonly AdminToken[];
  /** Reading what holds no secret (`/status`, `/metrics`) wants a token too. */
  readonly guardsReading: boolean;
}

/** Who asks. */
export interface Actor {
  /** The token's name; `local` without one. */
  readonly name: string;
  readonly role: AdminRole;
}

/** What a request is about to do. */
export interface AdminNeed {
  /** The least role that may. */
  readonly role: AdminRole;
  /** `read` = nothing that everybody on the network may not see; `list` = names of keys; `change` = something is done. */
  readonly kind: "read" | "list" | "change";
}

/** Who may not, and why. */
export interface AdminRefusal {
  readonly error: GatewayError;
  /** Whose token was right, and too small; undefined = nobody knows who asked. */
  readonly actor?: Actor;
}

type Header = (name: string) => string | undefined;

/**
 * Who asks, or why that may not be: 401 without a right token, 403 with one of too small a role. A page in an operator's
 * browser can reach the loopback too: it cannot send JSON to another origin unasked, and a name that it rebinds to the
 * loopback shows in `host`.
 */
export function admitAdmin(header: Header, access: AdminAccess, need: AdminNeed): Actor | AdminRefusal {
  const strange = need.kind === "change" ? strangeChange(header) : undefined;
  if (strange !== undefined) return { error: strange };
  if (need.kind === "read" && !access.guardsReading) return nobody;
  if (access.tokens.length > 0) return shownActor(header("authorization"), access.tokens, need.role);
  const what = need.kind === "change" ? "takes changes" : "lists keys";
  if (!access.local) {
    const message = `the admin listener can be reached by others: it ${what} only with \`server.admin_tokens\``;
    return { error: new GatewayError("change_not_allowed", message) };
  }
  if (isLoopback(hostName(header("host") ?? ""))) return local;
  const message = `the admin listener ${what} under a name of this machine alone, such as localhost`;
  return { error: new GatewayError("change_not_allowed", message) };
}

const nobody: Actor = Object.freeze({ name: "anybody", role: "viewer" });
const local: Actor = Object.freeze({ name: "local", role: "admin" });

function strangeChange(header: Header): GatewayError | undefined {
  const host = header("host") ?? "";
  const origin = header("origin");
  if (origin !== undefined && origin !== `http://${host}` && origin !== `https://${host}`) {
    return new GatewayError("change_not_allowed", "changes are not taken from pages of another origin");
  }
  if (!/^application\/json\s*(;|$)/i.test(header("content-type") ?? "")) {
    return new GatewayError("invalid_request", "a change is sent as JSON, with `content-type: application/json`");
  }
  return undefined;
}

/** Every token is compared, each in a time that says nothing about it. */
function shownActor(
  authorization: string | undefined,
  tokens: readonly AdminToken[],
  needed: AdminRole,
): Actor | AdminRefusal {
  const shown = hash("sha256", /^bearer +(\S+)$/i.exec(authorization ?? "")?.[1] ?? "", "buffer");
  let found: AdminToken | undefined;
  for (const token of tokens) if (timingSafeEqual(shown, token.hash)) found = token;
  if (found === undefined) {
    const message = "this wants an admin token: send it as `authorization: Bearer TOKEN`";
    return { error: new GatewayError("invalid_api_key", message) };
  }
  const actor: Actor = { name: found.name, role: found.role };
  if (adminRoles.indexOf(actor.role) >= adminRoles.indexOf(needed)) return actor;
  const message = `the token «${actor.name}» has the role ${actor.role}, and this wants ${needed}`;
  return { error: new GatewayError("role_not_sufficient", message), actor };
}

/** Of a `host` header, without the port and an IPv6 address's brackets. */
function hostName(host: string): string {
  return host.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1");
}
