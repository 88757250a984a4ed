import { setTimeout } from "node:timers/promises";
import { Admission } from "../admission/admission.ts";
import { Advisor } from "../advice/advisor.ts";
import type { AuditEntry } from "../audit/audit-line.ts";
import { createAuditLog, noAudit } from "../audit/audit-log.ts";
import type { Config } from "../config/config.ts";
import { isLoopback } from "../config/units.ts";
import { type Listener, listen } from "../http/listener.ts";
import { Reporter } from "../report/reporter.ts";
import { createReasoningMemory } from "../request-path/reasoning-memory.ts";
import { createAdminApp } from "../routes/admin-app.ts";
import { createPublicApp } from "../routes/public-app.ts";
import { createCapture } from "../signals/capture.ts";
import { createRequestLog, type RequestLog } from "../signals/request-log.ts";
import { createSignals } from "../signals/signals.ts";
import { openStore } from "../store/open-store.ts";
import { createFailureThrottle } from "../teams/failure-throttle.ts";
import { followStoredKeys } from "../teams/stored-keys.ts";
import { Tracing } from "../tracing/tracing.ts";
import { openAccounting } from "../usage/accounting.ts";
import type { BackendRuntime } from "./backend-runtime.ts";
import { createProber } from "./prober.ts";
import { createRoom } from "./room.ts";
import { createServing, type Serving } from "./serving.ts";
import { version } from "./version.ts";

/** Reasoning whose time is over is forgotten at the latest after so long. */
const REASONING_SWEEP_MS = 60_000;
/** Probes and scrapes are few, and must not take the clients' sockets. */
const ADMIN_CONNECTIONS = 32;
/** How long the first requests wait for the keys of the store. */
const STORE_PATIENCE_MS = 1000;
/** Wrong admin tokens of an address until it is throttled, and how many of them are forgiven in a second. */
const ADMIN_TRIES = 20;
const ADMIN_TRIES_PER_SECOND = 0.2;

/** A running gateway. */
export interface Gateway {
  /** Where it listens, with the real port. */
  readonly url: string;
  readonly adminUrl: string;
  readonly serving: Serving;
  readonly log: RequestLog;
  /** Resolves when every backend has been probed once. */
  readonly probed: Promise<void>;
  /**
   * Serves by another config from the next request on; listeners stay where they are.
   * @throws GatewayError `audit_unavailable` when that cannot be audited: the config before it stays.
   */
  apply(config: Config): Promise<void>;
  /** Told of a config that was not taken. */
  reloadFailed(messages: readonly string[]): void;
  /** Says that it is not ready, and asks clients to come back elsewhere; serves on. */
  retire(): void;
  /** Takes no new connection, lets requests finish within the config's drain time, and stops. */
  drain(): Promise<void>;
  /** Stops at once. */
  close(): Promise<void>;
}

export interface GatewayOptions {
  readonly config: Config;
  readonly log?: RequestLog;
}

/**
 * Starts a gateway: both listeners, the probes.
 * @throws Error when a listener's address is taken.
 */
export async function startGateway({
  config,
  log = createRequestLog({ form: config.server.log }),
}: GatewayOptions): Promise<Gateway> {
  const now = (): number => performance.now();
  const signals = createSignals({ log, config, version });
  const tracing = new Tracing({ version, metrics: signals.metrics, log });
  await tracing.follow(config.server.traces);
  const { capture: kept } = config.server;
  const capture = kept && createCapture({ ...kept, metrics: signals.metrics, log });
  const { auditFile } = config.server;
  const audit =
    auditFile === undefined ? noAudit : createAuditLog({ file: auditFile, log, metrics: signals.metrics, now });
  const reasoning = createReasoningMemory({ metrics: signals.metrics, now });
  const sweeping = setInterval(() => reasoning.sweep(), REASONING_SWEEP_MS).unref();
  const room = createRoom(config, signals, log);
  const store = openStore(config, signals.metrics, log);
  const accounting = await openAccounting({ config, store, metrics: signals.metrics, teams: signals.teams, log });
  const stored = store.connection && followStoredKeys({ connection: store.connection, log, now });
  const admission = new Admission({ now, onTurnedAway: (reason) => signals.turnedAway(reason) });
  const parts = {
    admission,
    limits: store.limits,
    ledger: accounting.ledger,
    budgets: accounting.budgets,
    signals,
    tracing,
    throttle: createFailureThrottle({ now }),
    stored,
    capture,
    reasoning,
    gate: room.gate,
    intake: room.intake,
    now,
  };
  let serving = createServing(config, parts);
  warnOfTexts(config, undefined, log);
  const advisor = new Advisor({ serving: () => serving, admission, now });
  const reporter = new Reporter({ serving: () => serving, advisor, admission, store: store.level, version });
  let state: "starting" | "ready" | "draining" = "starting";
  const notReady = (): string | undefined => (state === "ready" ? undefined : state);

  // Without its keys nobody but those of the file could come in; a store that is away is not waited for.
  if (stored !== undefined)
    await Promise.race([stored.first, setTimeout(STORE_PATIENCE_MS, undefined, { ref: false })]);
  const { timeouts } = config.server;
  const onError = (error: Error): void => log.warn("a connection could not be taken", { error: error.message });
  const closeStore = (): Promise<void> => {
    stored?.close();
    return store.close();
  };
  const publicListener = await listen(
    createPublicApp(() => serving),
    config.server.listen,
    {
      timeouts,
      maxConnections: room.maxConnections,
      doors: room.doors,
      onError,
      onRefused: () => signals.shed("connections"),
    },
  ).catch(async (error: unknown) => {
    await closeStore();
    throw error;
  });
  const adminListener = await listen(
    createAdminApp({
      serving: () => serving,
      notReady,
      version,
      local: isLoopback(config.server.admin.host),
      log,
      audit,
      stored,
      throttle: createFailureThrottle({ now, burst: ADMIN_TRIES, perSecond: ADMIN_TRIES_PER_SECOND }),
      room: () => ({
        connections: publicListener.connections,
        bodyBytes: room.intake.held,
        lagMs: room.lag.lagMs,
        shedShare: room.lag.share,
        waiting: admission.waiting,
      }),
      advisor: () => advisor,
      report: (minutes) => reporter.report(minutes),
      store: store.level,
    }),
    config.server.admin,
    { timeouts, maxConnections: ADMIN_CONNECTIONS, onError },
  ).catch(async (error: unknown) => {
    await closeStore();
    await publicListener.close();
    throw error;
  });
  // An audit file that cannot be written keeps nobody from being served; it is in the log, and every change is refused.
  await audit.record({ ...own("start"), after: { version, config: shortHash(config) } }).catch(() => {});
  room.lag.start();
  const prober = createProber(() => {});
  prober.follow(serving.backends.values());
  // A replica that begins with its share alone would count for nobody: what is known within a second is waited for.
  const probed = Promise.all([prober.first, store.started]).then(() => {
    if (state === "starting") state = "ready";
  });

  async function stop(how: (listener: Listener) => Promise<void>): Promise<void> {
    state = "draining";
    await how(publicListener);
    clearInterval(sweeping);
    room.lag.stop();
    advisor.stop();
    reporter.stop();
    reasoning.clear();
    prober.stop();
    await adminListener.close();
    for (const backend of serving.backends.values()) void backend.close().catch(() => {});
    await Promise.all([capture?.flush(), tracing.close()]);
    await accounting.close();
    await closeStore();
    await audit.record(own("stop")).catch(() => {});
    await log.flush();
  }

  return {
    url: publicListener.url,
    adminUrl: adminListener.url,
    get serving() {
      return serving;
    },
    log,
    probed,
    async apply(next) {
      const hashes = { before: shortHash(serving.config), after: shortHash(next) };
      await audit.record({ ...own("config.reload"), actor: "file", ...hashes });
      await tracing.follow(next.server.traces);
      const before = serving;
      serving = createServing(next, parts, before);
      prober.follow(serving.backends.values());
      room.follow(next);
      signals.follow(next);
      advisor.follow();
      accounting.follow(next);
      signals.reload(true);
      giveBack(before.backends.values(), log);
      const kept = new Set(serving.backends.values());
      for (const backend of before.backends.values()) if (!kept.has(backend)) void backend.close().catch(() => {});
      log.info("config reloaded", { hash: shortHash(next) });
      warnOfTexts(next, before.config, log);
    },
    reloadFailed(messages) {
      signals.reload(false);
      log.warn("config not taken, the last good one stays", { errors: messages.slice(0, 5) });
      const after = { errors: messages.length, first: messages[0]?.slice(0, MAX_AUDITED_ERROR) };
      void audit.record({ ...own("config.reload"), actor: "file", after, result: "refused" }).catch(() => {});
    },
    retire() {
      state = "draining";
      publicListener.retire();
    },
    drain: () => {
      const { drainMs } = serving.config.server;
      // What begins after that would hardly come to its end.
      admission.drain(drainMs / 2);
      return stop((listener) => listener.drain(drainMs));
    },
    close: () => {
      admission.close();
      return stop((listener) => listener.close());
    },
  };
}

const MAX_AUDITED_ERROR = 256;
const shortHash = ({ hash }: Config): string => hash.slice(0, 12);

/** What the process does of itself, as the audit file has it. */
function own(action: string): AuditEntry {
  const role = "none";
  return { actor: "process", role, address: null, action, target: null, before: null, after: null, result: "ok" };
}

/** Says of which teams prompts and answers are written down from now on. */
function warnOfTexts({ privacy, server }: Config, before: Config | undefined, log: RequestLog): void {
  const teams = privacy.fullTeams.filter((team) => before?.privacy.logOf(team) !== "full");
  if (teams.length === 0 || server.log === "silent") return;
  log.warn("prompts and answers of these teams are logged", { teams });
}

/** The file is in force again: what was set by hand since the last one is over. */
function giveBack(backends: Iterable<BackendRuntime>, log: RequestLog): void {
  for (const { name, state } of backends) {
    if (state.override === undefined) continue;
    log.warn("set by hand no more: a new config is in force", { backend: name, was: state.override });
    state.setOverride(undefined);
  }
}
