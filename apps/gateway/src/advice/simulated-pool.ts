import type { EngineLoad } from "@signalbox/router";
import { createRandom } from "@signalbox/simulator";
import type { LoadHistory, Presence, Scaling } from "./load-history.ts";
import { LoadRecorder } from "./load-recorder.ts";

/** A pool with Poisson arrivals and exponential service times, in virtual time. */
export interface PoolOptions {
  /** Arrivals a second, by the second since the start. */
  readonly rate: (second: number) => number;
  readonly serviceSeconds: number;
  /** Of each backend. */
  readonly slots: number;
  readonly backends: number;
  readonly seed?: number;
  /** Requests that waited so long in the gateway's queue are turned away. */
  readonly maxWaitSeconds?: number;
  /** Requests wait in the engines, not in the gateway; engines tell what they have, and nobody tells of slots. */
  readonly engineQueues?: boolean;
  readonly scaling?: Scaling;
}

interface Request {
  readonly at: number;
}

class Engine {
  readonly queue: Request[] = [];
  running = 0;
}

export const usualScaling: Scaling = { target: 0.7, waitMs: 2000, windowMs: 15 * 60_000 };

/** Its clock starts with a slice, and moves by `run` alone. */
export class SimulatedPool {
  readonly #options: PoolOptions;
  readonly #random: () => number;
  readonly #queue: Request[] = [];
  #engines: Engine[];
  readonly #ends: { readonly at: number; readonly engine: Engine }[] = [];
  #now = 0;
  #nextArrival: number;
  #attempts = 0;
  #requests = 0;
  #turnedAway = 0;
  /** Seconds that each request waited that got a slot. */
  readonly waits: number[] = [];
  #workSeconds = 0;
  readonly #recorder: LoadRecorder;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#random = createRandom(options.seed ?? 1);
    this.#engines = Array.from({ length: options.backends }, () => new Engine());
    this.#nextArrival = this.#gap();
    this.#recorder = new LoadRecorder(
      {
        wallNow: () => this.#now * 1000,
        backends: () => this.#engines.map((engine, at) => ({ name: `b${at}`, ...this.#sampleOf(engine) })),
        waiting: () => new Map([["m", this.#queue.length]]),
        backendCounts: () => new Map([["b0", { attempts: this.#attempts, outputTokens: this.#attempts * 100 }]]),
        modelCounts: () => new Map([["m", { requests: this.#requests, turnedAway: this.#turnedAway, limited: 0 }]]),
      },
      (options.scaling ?? usualScaling).windowMs,
    );
  }

  get backends(): number {
    return this.#engines.length;
  }

  /** Of all slots, the share of the time that they were in use. */
  get use(): number {
    return this.#workSeconds / this.#now / (this.backends * this.#options.slots);
  }

  /** The 95th percentile of the seconds that requests waited. */
  get waitP95(): number {
    return this.waits.toSorted((one, other) => one - other)[Math.floor(this.waits.length * 0.95)] ?? 0;
  }

  /** Adds backends, or takes the last away; what they have under way ends elsewhere in no time. */
  resize(backends: number): void {
    while (this.backends < backends) this.#engines.push(new Engine());
    const gone = this.#engines.splice(backends);
    for (let at = this.#ends.length - 1; at >= 0; at--)
      if (gone.includes(this.#ends[at]!.engine)) this.#ends.splice(at, 1);
  }

  run(seconds: number): void {
    for (const end = this.#now + seconds; this.#now < end; ) {
      const tick = Math.floor(this.#now) + 1;
      this.#advance(tick);
      this.#recorder.sample();
    }
  }

  /** What `GET /advice` would have of it; backends that are named are not up. */
  history(presence: Readonly<Record<string, Presence>> = {}): LoadHistory {
    const { slots, engineQueues = false } = this.#options;
    const names = this.#engines.map((_, at) => `b${at}`);
    const down = Object.keys(presence).filter((name) => !names.includes(name));
    return {
      scaling: this.#options.scaling ?? usualScaling,
      slice_ms: this.#recorder.sliceMs,
      now: this.#recorder.now,
      known: [this.#recorder.known],
      backends: [...names, ...down].map((name) => ({
        name,
        presence: presence[name] ?? "up",
        slots: engineQueues ? null : slots,
        slots_from: engineQueues ? null : "max_concurrent",
        slices: this.#recorder.backend(name),
      })),
      models: [{ name: "m", on: [...names, ...down], slices: this.#recorder.model("m") }],
    };
  }

  #sampleOf(engine: Engine): { inFlight: number; load: EngineLoad | undefined } {
    const waiting = engine.queue.length;
    const load = this.#options.engineQueues ? { running: engine.running, waiting } : undefined;
    return { inFlight: engine.running + waiting, load };
  }

  #advance(until: number): void {
    for (;;) {
      const end = this.#ends[0]?.at ?? Number.POSITIVE_INFINITY;
      const next = Math.min(end, this.#nextArrival);
      if (next > until) break;
      this.#now = next;
      if (next === end) this.#end();
      else this.#arrive();
    }
    this.#now = until;
  }

  #arrive(): void {
    this.#nextArrival = this.#now + this.#gap();
    const request = { at: this.#now };
    const load = (engine: Engine): number => engine.running + engine.queue.length;
    const least = this.#engines.reduce((best, one) => (load(one) < load(best) ? one : best));
    if (least.running < this.#options.slots) this.#begin(request, least);
    else if (this.#options.engineQueues) least.queue.push(request);
    else this.#queue.push(request);
  }

  #end(): void {
    const { engine } = this.#ends.shift()!;
    engine.running--;
    this.#attempts++;
    this.#requests++;
    const next = engine.queue.shift() ?? this.#nextInTime();
    if (next !== undefined) this.#begin(next, engine);
  }

  #nextInTime(): Request | undefined {
    const { maxWaitSeconds = Number.POSITIVE_INFINITY } = this.#options;
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      if (this.#now - next.at <= maxWaitSeconds) return next;
      this.#turnedAway++;
      this.#requests++;
    }
    return undefined;
  }

  #begin(request: Request, engine: Engine): void {
    engine.running++;
    const seconds = -Math.log(1 - this.#random()) * this.#options.serviceSeconds;
    this.#workSeconds += seconds;
    this.waits.push(this.#now - request.at);
    const end = { at: this.#now + seconds, engine };
    const place = this.#ends.findIndex(({ at }) => at > end.at);
    this.#ends.splice(place < 0 ? this.#ends.length : place, 0, end);
  }

  #gap(): number {
    const rate = Math.max(1e-9, this.#options.rate(this.#now));
    return -Math.log(1 - this.#random()) / rate;
  }
}
