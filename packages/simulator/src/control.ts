import type { Engine } from "./engine.ts";
import type { Exchange } from "./http-server.ts";
import type { LogEntry } from "./request-log.ts";

const MAX_BODY_SHOWN = 16_384;

/** One log entry as `GET /_sim/log` shows it. */
function describeEntry(entry: LogEntry): Record<string, unknown> {
  const { body, ...rest } = entry;
  return { ...rest, body: body?.toString("utf8", 0, MAX_BODY_SHOWN) };
}

function sendJson(exchange: Exchange, status: number, value: unknown): void {
  const body = `${JSON.stringify(value)}\n`;
  const head = `HTTP/1.1 ${status} ${status === 200 ? "OK" : "Error"}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n`;
  exchange.send(head, body);
}

/** The totals that `GET /_sim/stats` shows. */
export function describeStats(engine: Engine): Record<string, unknown> {
  return {
    ...engine.log.stats,
    running: engine.admission.running(),
    waiting: engine.admission.waiting(),
    connections: engine.listener().connections(),
    loaded: engine.state.models.loaded(),
    abortedLoads: engine.state.models.abortedLoads(),
    faults: engine.faults.list(),
  };
}

const isRefusal = (input: unknown): boolean => (input as { kind?: unknown } | null)?.kind === "refuse";

function setFaults(engine: Engine, exchange: Exchange): void {
  try {
    const input: unknown = JSON.parse(exchange.request.body.toString() || "null");
    const wanted: unknown[] = Array.isArray(input) ? input : [input];
    const set: string[] = wanted.filter((entry) => !isRefusal(entry)).map((entry) => engine.faults.set(entry));
    const refusal = wanted.find(isRefusal);
    if (refusal !== undefined) {
      // The answer leaves before the connection that it goes out on is closed.
      engine.faults.check(refusal);
      exchange.close = true;
      exchange.socket.once("finish", () => setImmediate(() => engine.faults.set(refusal)));
      set.push("refuse");
    }
    sendJson(exchange, 200, { set });
  } catch (error) {
    sendJson(exchange, 400, { error: error instanceof Error ? error.message : String(error) });
  }
}

/** Answers `/_sim/...`; false = not its path. */
export function serveControl(engine: Engine, exchange: Exchange): boolean {
  const { method, path } = exchange.request;
  if (!path.startsWith("/_sim/")) return false;
  const asked = `${method} ${path}`;
  if (asked === "PUT /_sim/fault") setFaults(engine, exchange);
  else if (asked === "DELETE /_sim/fault") {
    engine.faults.clear();
    sendJson(exchange, 200, { cleared: true });
  } else if (asked === "GET /_sim/fault") sendJson(exchange, 200, engine.faults.list());
  else if (asked === "GET /_sim/stats") sendJson(exchange, 200, describeStats(engine));
  else if (asked === "GET /_sim/log") sendJson(exchange, 200, engine.log.entries.map(describeEntry));
  else if (asked === "DELETE /_sim/log") {
    engine.log.clear();
    sendJson(exchange, 200, { cleared: true });
  } else sendJson(exchange, 404, { error: `${asked}: unknown; there are /_sim/fault, /_sim/stats and /_sim/log` });
  return true;
}
