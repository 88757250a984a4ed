import { serveControl } from "./control.ts";
import type { Engine } from "./engine.ts";
import type { Exchange, ExchangeHandler } from "./http-server.ts";
import { serveInference } from "./inference.ts";
import type { Endpoint, Reply, Route } from "./kind.ts";
import { sendReply } from "./reply.ts";
import type { LogEntry } from "./request-log.ts";

const MAX_BODY_KEPT = 65_536;

/** Paths that need no key, as the engines have it. */
const PUBLIC_PATHS: ReadonlySet<string> = new Set(["/health", "/ping", "/"]);

function routeOf(engine: Engine, method: string, path: string): Route | undefined {
  const { routes } = engine.kind;
  const exact = routes[`${method} ${path}`];
  if (exact !== undefined) return exact;
  for (const [pattern, route] of Object.entries(routes)) {
    if (!pattern.endsWith("/{name}")) continue;
    const prefix = pattern.slice(0, -"{name}".length);
    if (`${method} ${path}`.startsWith(prefix) && path.length > prefix.length - method.length - 1) return route;
  }
  return undefined;
}

function authorized(engine: Engine, exchange: Exchange): boolean {
  const key = engine.state.options.apiKey;
  if (key === undefined || PUBLIC_PATHS.has(exchange.request.path)) return true;
  return exchange.request.headers.authorization === `Bearer ${key}`;
}

function noRoute(engine: Engine, method: string, path: string): Reply {
  const { kind } = engine;
  const other = Object.values(kind.paths).includes(path) ? "POST" : "GET";
  const known = other === "POST" || kind.routes[`GET ${path}`] !== undefined;
  return known && kind.errors.wrongMethod !== undefined
    ? kind.errors.wrongMethod(other)
    : kind.errors.unknownRoute(method, path);
}

async function serveRoute(engine: Engine, exchange: Exchange, entry: LogEntry, route: Route): Promise<void> {
  const { kind, state } = engine;
  const waits = kind.habits.loading === "unavailable" && !state.models.isLoaded(state.models.names[0] ?? "");
  sendReply(engine, exchange, entry, waits ? kind.errors.loading("") : await route(state, exchange.request));
}

/** Answers 500 when the simulator itself fails, as with a recording that is not there. */
function excuse(engine: Engine, exchange: Exchange, entry: LogEntry, error: unknown): void {
  const message = `simulator: ${error instanceof Error ? error.message : String(error)}`;
  sendReply(engine, exchange, entry, { status: 500, body: engine.kind.errors.shape(500, message) });
}

/** The way of every request: control, log, fault, key, then inference or a probe. */
export function createDispatcher(engine: Engine): ExchangeHandler {
  const { kind, log } = engine;
  const endpoints = new Map<string, Endpoint>();
  for (const [endpoint, path] of Object.entries(kind.paths)) endpoints.set(`POST ${path}`, endpoint as Endpoint);
  return (exchange) => {
    if (serveControl(engine, exchange)) return;
    const { method, path, headers, headBytes, body } = exchange.request;
    const kept = body.length > MAX_BODY_KEPT ? undefined : body;
    const entry = log.add({ method, path, headers, headBytes, bodyBytes: body.length, body: kept });
    const endpoint = endpoints.get(`${method} ${path}`);
    if (endpoint !== undefined) log.stats.inference += 1;
    exchange.onSettled(() => {
      entry.endedAt = Date.now();
    });
    exchange.onAbort(() => {
      entry.abortedAt = Date.now();
      log.stats.aborted += 1;
    });
    const strike = engine.faults.strike(engine, exchange, endpoint);
    if (strike !== undefined) {
      entry.fault = strike.name;
      log.stats.faulted += 1;
      if (strike.fault.answer !== undefined) return strike.fault.answer(strike.strike);
    }
    if (!authorized(engine, exchange)) return sendReply(engine, exchange, entry, kind.errors.unauthorized());
    if (endpoint !== undefined) {
      serveInference(engine, exchange, entry, endpoint, strike).catch((error: unknown) =>
        excuse(engine, exchange, entry, error),
      );
      return;
    }
    const route = routeOf(engine, method, path);
    if (route === undefined) return sendReply(engine, exchange, entry, noRoute(engine, method, path));
    serveRoute(engine, exchange, entry, route).catch((error: unknown) => excuse(engine, exchange, entry, error));
  };
}
