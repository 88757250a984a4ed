import { type BackendKind, type Get, kinds, type ListedModel, type Probe } from "@signalbox/backends";
import { type Transport, TransportError } from "@signalbox/protocol";
import { type BackendState, type BreakerChange, createBackendState, type OwnedBackendState } from "@signalbox/router";
import type { BackendConfig } from "../config/config.ts";
import { readBody } from "../upstream/reply-events.ts";
import { createSocketTransport } from "../upstream/socket-transport.ts";
import { GpuClock } from "../usage/gpu-clock.ts";
import { discoverUrl } from "./discover.ts";
import { wordsOf } from "./words-of.ts";

const MAX_PROBE_BYTES = 1024 * 1024;
const CONTENT_HEADERS = {
  "content-type": "application/json",
  "accept-encoding": "identity",
  "user-agent": "signalbox",
};

/** A backend while the gateway runs: its connections, its state, and what its last probe said. */
export interface BackendRuntime {
  readonly name: string;
  readonly kind: BackendKind;
  readonly config: BackendConfig;
  readonly state: OwnedBackendState;
  /** Undefined = nobody said how many GPUs it has. */
  readonly gpu: GpuClock | undefined;
  /** Undefined while the address is not known (a kind that must be discovered first). */
  readonly transport: Transport | undefined;
  /** Where it is, for people: scheme, host and port. */
  readonly address: string;
  /** Sent with every request. */
  readonly headers: Readonly<Record<string, string>>;
  readonly models: readonly ListedModel[];
  readonly version: string | undefined;
  /** The name to send for a model of the config: the engine's own spelling where it lists one under an alias. */
  nameOf(model: string): string;
  /** True when the engine says that this model must be loaded first. */
  isCold(model: string): boolean;
  /** Probes once and records what it found. Never rejects. */
  probe(): Promise<void>;
  close(): Promise<void>;
}

export interface BackendRuntimeOptions {
  readonly config: BackendConfig;
  /** Other replicas send requests there as well, and pay for their part of its GPUs' time. */
  readonly isShared: boolean;
  now(): number;
  onBreakerChange(change: BreakerChange): void;
  onRoom(backend: BackendState, ended: boolean): void;
}

/** Prepares a backend; nothing is sent before the first probe or request. */
export function createBackendRuntime(options: BackendRuntimeOptions): BackendRuntime {
  return new LiveBackend(options);
}

class LiveBackend implements BackendRuntime {
  readonly name: string;
  readonly kind: BackendKind;
  readonly config: BackendConfig;
  readonly state: OwnedBackendState;
  readonly gpu: GpuClock | undefined;
  readonly headers: Readonly<Record<string, string>>;
  transport: Transport | undefined;
  address: string;
  models: readonly ListedModel[] = [];
  version: string | undefined;
  #names = new Map<string, string>();
  #closed = false;
  readonly #isShared: boolean;
  readonly #now: () => number;

  constructor({ config, isShared, now, onBreakerChange, onRoom }: BackendRuntimeOptions) {
    this.#isShared = isShared;
    this.#now = now;
    this.name = config.name;
    this.config = config;
    this.kind = kinds[config.kind as keyof typeof kinds];
    this.headers = { ...CONTENT_HEADERS, ...this.kind.requestHeaders, ...config.headers() };
    this.address = config.url;
    this.gpu = config.gpus > 0 ? new GpuClock(config.gpus) : undefined;
    this.state = createBackendState({
      name: config.name,
      maxConcurrent: config.maxConcurrent,
      now,
      random: Math.random,
      probeIntervalMs: config.probe.intervalMs,
      saturation: config.saturation,
      onBreakerChange,
      onRoom,
    });
    if (config.url !== "auto") this.#connect(config.url);
  }

  #connect(url: string): void {
    const before = this.transport;
    const parsed = new URL(url);
    const tls = this.config.tls();
    this.address = parsed.origin;
    this.transport = createSocketTransport({
      name: this.name,
      url: parsed,
      connectTimeoutMs: this.config.timeouts.connectMs,
      ...(tls && { tls }),
    });
    before?.close().catch(() => {});
  }

  nameOf(model: string): string {
    return this.#names.get(model) ?? this.#names.get(model.toLowerCase()) ?? model;
  }

  isCold(model: string): boolean {
    if (this.state.health.status === "loading") return true;
    const { warm } = this.state;
    return warm !== undefined && !warm.has(model) && !warm.has(this.nameOf(model));
  }

  async probe(): Promise<void> {
    if (this.config.url === "auto" && (this.transport === undefined || this.state.health.status === "down")) {
      const found = await discoverUrl(this.kind, this.config.discoverCommand);
      if (found !== undefined && (this.transport === undefined || new URL(found).origin !== this.address))
        this.#connect(found);
    }
    const result = await this.#ask();
    if (result !== undefined && !this.#closed) this.#record(result);
  }

  /** Undefined = it could not be asked, for a reason of ours. */
  async #ask(): Promise<Probe | undefined> {
    const { transport } = this;
    if (transport === undefined) return { status: "down", reason: "its address is not known yet" };
    const deadline = performance.now() + this.config.probe.timeoutMs;
    let short = false;
    const get = createGet(transport, this.headers, deadline, () => {
      short = true;
    });
    try {
      const result = await this.kind.probe(get);
      return short ? undefined : result;
    } catch (error) {
      return { status: "down", reason: wordsOf(error) };
    }
  }

  #record(result: Probe): void {
    if (result.status !== "ready") {
      const { load, warm } = this.state;
      this.state.observe(result, load, warm);
      return;
    }
    const { models, load } = result;
    if (this.#isShared && load?.running !== undefined) {
      this.gpu?.shareWith(Math.max(0, load.running + (load.waiting ?? 0) - this.state.inFlight), this.#now());
    }
    if (models !== undefined) {
      this.models = models;
      this.#names = namesOf(models);
    }
    if (result.version !== undefined) this.version = result.version;
    this.state.observe({ status: "ready", reason: "probe" }, result.load, warmOf(models));
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.state.close();
    await this.transport?.close();
  }
}

/** Every name that the engine's users know, also in lower case -> the name to send; a loaded variant wins over others. */
function namesOf(models: readonly ListedModel[]): Map<string, string> {
  const names = new Map<string, string>();
  const loadedFirst = models.toSorted((a, b) => Number(b.loaded ?? false) - Number(a.loaded ?? false));
  for (const { id, aliases = [] } of loadedFirst) {
    for (const alias of [...aliases, ...aliases.map((each) => each.toLowerCase()), id.toLowerCase()]) {
      if (!names.has(alias)) names.set(alias, id);
    }
  }
  for (const { id } of models) names.set(id, id);
  return names;
}

/** Names of the models that are loaded now; undefined where the kind does not tell. */
function warmOf(models: readonly ListedModel[] | undefined): ReadonlySet<string> | undefined {
  if (models === undefined || models.every(({ loaded }) => loaded === undefined)) return undefined;
  return new Set(models.filter(({ loaded }) => loaded).flatMap(({ id, aliases = [] }) => [id, ...aliases]));
}

/** GETs over a backend's transport, all of them together until `deadline`. Tells of those that we had no socket for. */
function createGet(
  transport: Transport,
  headers: Readonly<Record<string, string>>,
  deadline: number,
  onShortage: () => void,
): Get {
  return async (path) => {
    const { "content-type": _, ...probeHeaders } = headers;
    const exchange = transport.open({ method: "GET", path, headers: probeHeaders, body: undefined });
    const timer = setTimeout(() => exchange.abort(), Math.max(1, deadline - performance.now()));
    try {
      const response = await exchange.response;
      const body = await readBody(response, MAX_PROBE_BYTES);
      return { status: response.status, headers: response.headers, text: body?.toString("utf8") ?? "" };
    } catch (error) {
      if (error instanceof TransportError && error.fault === "aborted") {
        throw new TransportError("connect", `no answer to GET ${path} in time`, error);
      }
      if (error instanceof TransportError && error.fault === "shortage") onShortage();
      throw error;
    } finally {
      clearTimeout(timer);
      exchange.abort();
    }
  };
}
