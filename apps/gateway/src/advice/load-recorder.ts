import type { EngineLoad } from "@signalbox/router";
import { type BackendSlice, type ModelSlice, SPARE_WINDOWS, WINDOW_SLICES } from "./load-history.ts";

/** A backend at one moment. */
interface BackendSample {
  readonly name: string;
  readonly inFlight: number;
  /** What its engine says of itself; undefined = nothing, or nothing that still holds. */
  readonly load: EngineLoad | undefined;
}

/** What was counted since the start. */
export interface BackendCounts {
  readonly attempts: number;
  readonly outputTokens: number;
}

export interface ModelCounts {
  readonly requests: number;
  readonly turnedAway: number;
  readonly limited: number;
}

/** Where a recorder looks. */
export interface LoadSources {
  /** Milliseconds since 1970: replicas have the same slices. */
  wallNow(): number;
  backends(): Iterable<BackendSample>;
  /** Requests in the queue, by the model that they were for. */
  waiting(): ReadonlyMap<string, number>;
  /** By backend. */
  backendCounts(): ReadonlyMap<string, BackendCounts>;
  /** By model. */
  modelCounts(): ReadonlyMap<string, ModelCounts>;
}

/** Whole slices that are kept: those of all windows that must agree before a backend is spare, and one for its beginning. */
const KEPT_SLICES = WINDOW_SLICES * SPARE_WINDOWS + 1;
const NO_ATTEMPTS: BackendCounts = { attempts: 0, outputTokens: 0 };
const NO_REQUESTS: ModelCounts = { requests: 0, turnedAway: 0, limited: 0 };

/** Sums of samples; what an engine does not tell at every sample has a count of its own. */
interface BackendSums {
  inFlight: number;
  busy: number;
  running: number;
  waiting: number;
  told: number;
  kvUse: number;
  kvTold: number;
}

/**
 * Looks at the load at every `sample()` and keeps its means over slices of time: so many numbers for each backend and model,
 * however long it runs. A slice in which it was never asked to look is left out.
 */
export class LoadRecorder {
  readonly #sources: LoadSources;
  #sliceMs = 0;
  #slice = 0;
  #samples = 0;
  /** The first slice that was seen from its beginning. */
  #firstWhole = 0;
  #backendSums = new Map<string, BackendSums>();
  /** What was counted until the slice began, and the samples of the queue since. */
  #counted: {
    readonly backends: ReadonlyMap<string, BackendCounts>;
    readonly models: ReadonlyMap<string, ModelCounts>;
    readonly waiting: Map<string, number>;
  } = { backends: new Map(), models: new Map(), waiting: new Map() };
  #backends = new Map<string, BackendSlice[]>();
  #models = new Map<string, ModelSlice[]>();

  constructor(sources: LoadSources, windowMs: number) {
    this.#sources = sources;
    this.follow(windowMs);
  }

  /** Another window: slices of another length begin anew. */
  follow(windowMs: number): void {
    const sliceMs = windowMs / WINDOW_SLICES;
    if (sliceMs === this.#sliceMs) return;
    this.#sliceMs = sliceMs;
    this.#backends.clear();
    this.#models.clear();
    this.#begin();
    this.#firstWhole = this.#slice + 1;
  }

  get sliceMs(): number {
    return this.#sliceMs;
  }

  /** The slice that is not over yet. */
  get now(): number {
    return this.#slice;
  }

  /** Whole slices since it began, up to those that are kept. */
  get known(): number {
    return Math.max(0, Math.min(this.#slice - this.#firstWhole, KEPT_SLICES));
  }

  backend(name: string): readonly BackendSlice[] {
    return this.#backends.get(name) ?? [];
  }

  model(name: string): readonly ModelSlice[] {
    return this.#models.get(name) ?? [];
  }

  /** Looks once. */
  sample(): void {
    const slice = Math.floor(this.#sources.wallNow() / this.#sliceMs);
    if (slice !== this.#slice) this.#end();
    this.#samples++;
    const sums = this.#counted.waiting;
    for (const one of this.#sources.backends()) addSample(this.#backendSums, one);
    for (const [model, waiting] of this.#sources.waiting()) sums.set(model, (sums.get(model) ?? 0) + waiting);
  }

  #begin(): void {
    this.#slice = Math.floor(this.#sources.wallNow() / this.#sliceMs);
    this.#samples = 0;
    this.#backendSums = new Map();
    const sources = this.#sources;
    this.#counted = { backends: sources.backendCounts(), models: sources.modelCounts(), waiting: new Map() };
  }

  #end(): void {
    const { backends, models, waiting } = this.#counted;
    const slice = this.#slice;
    const samples = this.#samples;
    const sums = this.#backendSums;
    this.#begin();
    if (samples === 0 || slice < this.#firstWhole) return;
    for (const [name, sum] of sums) {
      const now = this.#counted.backends.get(name) ?? NO_ATTEMPTS;
      keep(this.#backends, name, backendSlice({ slice, samples, sum, now, before: backends.get(name) ?? NO_ATTEMPTS }));
    }
    for (const name of new Set([...this.#counted.models.keys(), ...waiting.keys()])) {
      const now = this.#counted.models.get(name) ?? NO_REQUESTS;
      const before = models.get(name) ?? NO_REQUESTS;
      keep(this.#models, name, {
        slice,
        waiting: (waiting.get(name) ?? 0) / samples,
        requests: now.requests - before.requests,
        turned_away: now.turnedAway - before.turnedAway,
        limited: now.limited - before.limited,
      });
    }
    forget(this.#backends, this.#slice);
    forget(this.#models, this.#slice);
  }
}

function addSample(all: Map<string, BackendSums>, { name, inFlight, load }: BackendSample): void {
  let sums = all.get(name);
  if (sums === undefined) {
    sums = { inFlight: 0, busy: 0, running: 0, waiting: 0, told: 0, kvUse: 0, kvTold: 0 };
    all.set(name, sums);
  }
  sums.inFlight += inFlight;
  if (inFlight > 0) sums.busy++;
  if (load?.running !== undefined) {
    sums.running += load.running;
    sums.waiting += load.waiting ?? 0;
    sums.told++;
  }
  if (load?.kvUse !== undefined) {
    sums.kvUse += load.kvUse;
    sums.kvTold++;
  }
}

interface EndedSlice {
  readonly slice: number;
  readonly samples: number;
  readonly sum: BackendSums;
  readonly now: BackendCounts;
  readonly before: BackendCounts;
}

function backendSlice({ slice, samples, sum, now, before }: EndedSlice): BackendSlice {
  const { told, kvTold } = sum;
  return {
    slice,
    in_flight: sum.inFlight / samples,
    running: told === 0 ? null : sum.running / told,
    waiting: told === 0 ? null : sum.waiting / told,
    kv_use: kvTold === 0 ? null : sum.kvUse / kvTold,
    busy: sum.busy / samples,
    attempts: now.attempts - before.attempts,
    output_tokens: now.outputTokens - before.outputTokens,
  };
}

function keep<S>(all: Map<string, S[]>, name: string, slice: S): void {
  const kept = all.get(name);
  if (kept === undefined) all.set(name, [slice]);
  else kept.push(slice);
}

/** Drops what is too old, and who is left with nothing. */
function forget(all: Map<string, { readonly slice: number }[]>, now: number): void {
  for (const [name, kept] of all) {
    while (kept.length > 0 && kept[0]!.slice < now - KEPT_SLICES) kept.shift();
    if (kept.length === 0) all.delete(name);
  }
}
