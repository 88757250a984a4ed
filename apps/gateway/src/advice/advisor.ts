import type { Serving } from "../runtime/serving.ts";
import type { Metrics } from "../signals/metrics.ts";
import { type Advice, adviseOn, slotsOfGroup } from "./advise.ts";
import { type LoadHistory, WINDOW_SLICES } from "./load-history.ts";
import { LoadRecorder } from "./load-recorder.ts";
import { type GatewayLoad, historyOf, loadSources } from "./load-sources.ts";
import { groupsOf, type ModelGroup, offeredLoad } from "./offered-load.ts";

/** What `GET /advice` answers with. */
export interface AdviceReport {
  readonly advice: readonly Advice[];
  /** What it rests on; of several gateways it can be put together (see `mergeHistories`). */
  readonly history: LoadHistory;
}

/** Looks are that many for a slice, as far as the pause between them stays between these. */
const LOOKS = 20;
const SHORTEST_PAUSE_MS = 10;
const LONGEST_PAUSE_MS = 1000;

/** Watches the load of a gateway, and says how many backends it wants. Its timer does not keep the process alive. */
export class Advisor {
  readonly #serving: () => Serving;
  readonly #recorder: LoadRecorder;
  #timer: NodeJS.Timeout | undefined;
  #levels: readonly Level[] = [];
  #levelsKey = "";

  constructor(load: GatewayLoad) {
    this.#serving = load.serving;
    this.#recorder = new LoadRecorder(loadSources(load), load.serving().config.scaling.windowMs);
    this.follow();
  }

  /** Goes by the config in force now. Another window begins anew. */
  follow(): void {
    this.#recorder.follow(this.#serving().config.scaling.windowMs);
    const pauseMs = Math.min(LONGEST_PAUSE_MS, Math.max(SHORTEST_PAUSE_MS, this.#recorder.sliceMs / LOOKS));
    clearInterval(this.#timer);
    this.#timer = setInterval(() => this.#recorder.sample(), pauseMs).unref();
  }

  /** The load that it has seen. */
  get history(): LoadHistory {
    return historyOf(this.#serving(), this.#recorder);
  }

  report(): AdviceReport {
    const { history } = this;
    return { advice: adviseOn(history), history };
  }

  /** Sets `signalbox_advised_backends` and `signalbox_model_load_ratio`, before a scrape. */
  setGauges(metrics: Pick<Metrics, "gauge" | "reset">): void {
    metrics.reset("signalbox_advised_backends");
    metrics.reset("signalbox_model_load_ratio");
    for (const { model, backends, ratio } of this.#levelsNow()) {
      // With nothing known and nothing up, any number would be made up.
      if (backends > 0) metrics.gauge("signalbox_advised_backends", { model }).value = backends;
      metrics.gauge("signalbox_model_load_ratio", { model }).value = ratio;
    }
  }

  /** Reckoned anew when a slice has ended or a backend has come or gone: scrapes are more frequent. */
  #levelsNow(): readonly Level[] {
    const { history } = this;
    const { hash } = this.#serving().config;
    const key = `${hash} ${history.now} ${history.backends.map(({ presence }) => presence)}`;
    if (key !== this.#levelsKey) this.#levels = levelsOf(history);
    this.#levelsKey = key;
    return this.#levels;
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

interface Level {
  readonly model: string;
  readonly backends: number;
  readonly ratio: number;
}

function levelsOf(history: LoadHistory): Level[] {
  const advice = adviseOn(history);
  return groupsOf(history).flatMap((group, at) => {
    const { wanted, up, loading } = advice[at]!;
    const ratio = ownRatio(group, history);
    return group.models.map(({ name }) => ({ model: name, backends: wanted ?? up + loading.length, ratio }));
  });
}

/** What this gateway alone has there, as a share of the slots that are up, or of all where none is. */
function ownRatio(group: ModelGroup, history: LoadHistory): number {
  const up = group.backends.filter(({ presence }) => presence === "up").length || group.backends.length;
  const length = Math.min(WINDOW_SLICES, Math.max(...history.known));
  if (length === 0) return 0;
  const { own } = offeredLoad(group, history.now, history.slice_ms, length);
  return own / (slotsOfGroup(group).count * up);
}
