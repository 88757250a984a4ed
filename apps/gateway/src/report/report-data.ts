import type { LoadHistory } from "../advice/load-history.ts";
import type { Serving } from "../runtime/serving.ts";
import type { AlertThreshold } from "../signals/alert-table.ts";
import { upFor } from "../signals/scrape-gauges.ts";
import type { CountName, KnownSeries, MinuteChanges, MinuteCounts } from "./minute-counts.ts";

/** A series by which something was counted: `of` a step has what was added to it. */
export interface ReportSeries {
  readonly count: CountName;
  readonly labels: Readonly<Record<string, string>>;
  /** Of a histogram. */
  readonly bounds?: readonly number[];
}

/** What was counted over a minute, or over some of them. */
export interface ReportStep {
  /** Milliseconds since 1970 at which it began. */
  readonly at: number;
  /** Requests that waited in the queue at its end. */
  readonly waiting: number;
  /** By series: a number; or the counts of a histogram's buckets, with the sum behind them. */
  readonly added: readonly (readonly [series: number, numbers: readonly number[]])[];
}

/** What one gateway knows for a report. Names and numbers alone: no prompt, no answer, no key. */
export interface ReportData {
  readonly version: string;
  readonly config_hash: string;
  /** Milliseconds since 1970. */
  readonly from: number;
  readonly until: number;
  readonly step_ms: number;
  readonly series: readonly ReportSeries[];
  readonly steps: readonly ReportStep[];
  readonly state: GatewayState;
  readonly history: LoadHistory;
}

/** What is so now. */
export interface GatewayState {
  readonly thresholds: readonly AlertThreshold[];
  readonly backends: readonly {
    readonly name: string;
    readonly up: boolean;
    /** Nobody drained or opened it. */
    readonly by_itself: boolean;
    readonly reason: string;
    readonly for_seconds: number;
    /** Waiting in the engine's own queue. */
    readonly waiting: number;
  }[];
  readonly models: readonly { readonly name: string; readonly backends_up: number }[];
  readonly budgets: readonly {
    readonly team: string;
    readonly meter: string;
    readonly period: string;
    readonly used_ratio: number;
  }[];
  /** The newest config that was seen is in force. */
  readonly config_current: boolean;
  /** False = Redis is away, and each replica enforces its share. */
  readonly store_shared: boolean;
}

/** What `reportData` reads. */
export interface ReportSources {
  readonly serving: Serving;
  readonly counts: MinuteCounts;
  readonly history: LoadHistory;
  readonly version: string;
  readonly storeShared: boolean;
  readonly wallNow: number;
}

/** A report has no more steps than that, so that none is large. */
const MOST_STEPS = 180;
const MINUTE_MS = 60_000;

/** What a gateway has to say of the last `minutes`, or of as many as it knows. */
export function reportData(sources: ReportSources, minutes: number): ReportData {
  const { serving, counts, history, version, wallNow } = sources;
  const asked = Math.floor((wallNow - minutes * MINUTE_MS) / MINUTE_MS) * MINUTE_MS;
  const changes = counts.changesSince(asked);
  const stepMs = Math.ceil(minutes / MOST_STEPS) * MINUTE_MS;
  const { series, steps } = inSteps(counts.series, changes, stepMs);
  return {
    version,
    config_hash: serving.config.hash,
    from: Math.max(asked, counts.since),
    until: wallNow,
    step_ms: stepMs,
    series,
    steps,
    state: stateOf(sources),
    history,
  };
}

function inSteps(known: readonly KnownSeries[], changes: readonly MinuteChanges[], stepMs: number) {
  const owners = ownersOf(known);
  const used = new Map<number, number>();
  const series: ReportSeries[] = [];
  const steps = [...Map.groupBy(changes, ({ at }) => Math.floor(at / stepMs) * stepMs)].map(
    ([at, minutes]): ReportStep => {
      const added = new Map<number, number[]>();
      for (const { cells, deltas } of minutes)
        cells.forEach((cell, position) => {
          const owner = owners[cell]!;
          const { first, count, labels, bounds } = known[owner]!;
          let place = used.get(owner);
          if (place === undefined) {
            place = series.push({ count, labels, ...(bounds && { bounds }) }) - 1;
            used.set(owner, place);
          }
          const numbers = added.get(place) ?? Array<number>(bounds === undefined ? 1 : bounds.length + 2).fill(0);
          added.set(place, numbers);
          numbers[cell - first]! += deltas[position]!;
        });
      return { at, waiting: minutes.at(-1)!.waiting, added: [...added] };
    },
  );
  return { series, steps };
}

/** The series of each number. */
function ownersOf(known: readonly KnownSeries[]): number[] {
  return known.flatMap(({ bounds }, index) => Array<number>(bounds === undefined ? 1 : bounds.length + 2).fill(index));
}

function stateOf({ serving, storeShared }: ReportSources): GatewayState {
  const { config, backends, signals, budgets } = serving;
  const now = performance.now();
  return {
    thresholds: config.alerts,
    backends: [...backends.values()].map(({ name, state }) => ({
      name,
      up: state.health.status === "ready",
      by_itself: state.override !== "drain" && state.override !== "open",
      reason: state.health.reason,
      for_seconds: Math.round((now - state.health.since) / 1000),
      waiting: state.load?.waiting ?? 0,
    })),
    models: [...config.policy.models.values()].map((model) => ({
      name: model.name,
      backends_up: upFor(model, backends, now),
    })),
    budgets: budgets.levels.map(({ team, meter, period, used, limit }) => ({
      team,
      meter,
      period,
      used_ratio: used / limit,
    })),
    config_current: signals.metrics.gauge("signalbox_config_reload_success", {}).value === 1,
    store_shared: storeShared,
  };
}
