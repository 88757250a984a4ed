import type { Config } from "../config/config.ts";
import { openAtMost } from "../http/connections.ts";
import { Intake, type IntakeSettings } from "../http/intake.ts";
import type { RequestLog } from "../signals/request-log.ts";
import type { Signals } from "../signals/signals.ts";
import { Gate } from "./gate.ts";
import { LagWatch } from "./lag-watch.ts";
import { bodyMemory, descriptorLimit, doorsWithin, socketsWithin } from "./process-limits.ts";

/** What bounds a gateway's memory, sockets and time. */
export interface Room {
  readonly gate: Gate;
  readonly intake: Intake;
  readonly lag: LagWatch;
  readonly maxConnections: number;
  /** Sockets to listen with. */
  readonly doors: number;
  /** Takes over what a changed config says, but for `maxConnections`. */
  follow(config: Config): void;
}

/** The room of a process: as its config says, and where it says nothing, as the process was given. */
export function createRoom({ server }: Config, signals: Signals, log: RequestLog): Room {
  const descriptors = descriptorLimit();
  const sockets = socketsWithin(descriptors);
  const maxConnections = server.maxConnections ?? sockets;
  if (openAtMost(maxConnections) + (server.maxRequests ?? maxConnections) > descriptors) {
    log.warn("max_connections and max_requests are more than this process may open", { descriptors });
  }
  const lag = new LagWatch(server.shedLagMs, (shedding) => {
    const facts = { lag_ms: Math.round(lag.lagMs), in_flight: signals.inFlight };
    log.warn(shedding ? "the event loop lags: requests are refused" : "the event loop has caught up", facts);
  });
  const gate = new Gate(server.maxRequests ?? maxConnections, lag);
  const intake = new Intake(intakeSettings(server), () => signals.shed("bodies"));
  return {
    gate,
    intake,
    lag,
    maxConnections,
    doors: doorsWithin(descriptors),
    follow(next) {
      lag.thresholdMs = next.server.shedLagMs;
      gate.maxRequests = next.server.maxRequests ?? maxConnections;
      intake.settings = intakeSettings(next.server);
    },
  };
}

function intakeSettings({ timeouts, minBodyRate, maxBodiesBytes, maxBodyBytes }: Config["server"]): IntakeSettings {
  return {
    readBodyMs: timeouts.readBodyMs,
    graceMs: timeouts.readHeaderMs,
    minRate: minBodyRate,
    maxBytes: maxBodiesBytes ?? Math.max(maxBodyBytes, bodyMemory()),
  };
}
