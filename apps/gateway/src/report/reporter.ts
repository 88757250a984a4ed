import type { Admission } from "../admission/admission.ts";
import type { Advisor } from "../advice/advisor.ts";
import type { Serving } from "../runtime/serving.ts";
import type { StoreLevel } from "../store/store-level.ts";
import { MinuteCounts } from "./minute-counts.ts";
import { type ReportData, reportData } from "./report-data.ts";

export interface ReporterOptions {
  serving(): Serving;
  readonly advisor: Advisor;
  readonly admission: Admission;
  /** Undefined = there is no shared store. */
  readonly store: (() => StoreLevel) | undefined;
  readonly version: string;
}

/** Minutes end at most so much late. */
const TICK_MS = 1000;

/** Keeps what reports of a gateway are made of. Its timer does not keep the process alive. */
export class Reporter {
  readonly #options: ReporterOptions;
  readonly #counts: MinuteCounts;
  readonly #timer: NodeJS.Timeout;

  constructor(options: ReporterOptions) {
    this.#options = options;
    const { admission, serving } = options;
    this.#counts = new MinuteCounts({
      metrics: serving().signals.metrics,
      wallNow: Date.now,
      waiting: () => Object.values(admission.waiting).reduce((sum, one) => sum + one, 0),
    });
    this.#timer = setInterval(() => this.#counts.tick(), TICK_MS).unref();
  }

  /** What is known of so many minutes until now. */
  report(minutes: number): ReportData {
    const { serving, advisor, store, version } = this.#options;
    return reportData(
      {
        serving: serving(),
        counts: this.#counts,
        history: advisor.history,
        version,
        storeShared: store === undefined || store().state === "shared",
        wallNow: Date.now(),
      },
      minutes,
    );
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
