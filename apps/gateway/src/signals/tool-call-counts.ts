import type { Metrics } from "./metrics.ts";

/** What can become of a tool call. */
export const toolCallOutcomes = ["clean", "leaked", "coerced", "repaired", "failed", "denied"] as const;
type CallOutcomes = Readonly<Record<(typeof toolCallOutcomes)[number], number>>;

/** What became of a model's tool calls in one dialect, on all backends together, since the start. */
export interface ToolCallCounts extends CallOutcomes {
  readonly model: string;
  /** `engine` = the engine had parsed them. */
  readonly dialect: string;
  readonly total: number;
  /** Calls that reached the client (clean, leaked, coerced or repaired), of all: 0 to 100, with one decimal. */
  readonly success_percent: number;
}

/** Reads the counts from the metrics, sorted by model and dialect. */
export function toolCallCounts(metrics: Pick<Metrics, "series">): readonly ToolCallCounts[] {
  const rows = new Map<
    string,
    { model: string; dialect: string } & Record<(typeof toolCallOutcomes)[number], number>
  >();
  for (const { labels, value } of metrics.series("signalbox_tool_calls_total")) {
    if (value === 0) continue;
    const { model, dialect, outcome } = labels;
    const key = JSON.stringify([model, dialect]);
    const row = rows.get(key) ?? { model, dialect, clean: 0, leaked: 0, coerced: 0, repaired: 0, failed: 0, denied: 0 };
    row[outcome as (typeof toolCallOutcomes)[number]] += value;
    rows.set(key, row);
  }
  return [...rows.entries()].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, row]) => withShare(row));
}

function withShare(row: { model: string; dialect: string } & CallOutcomes): ToolCallCounts {
  const total = toolCallOutcomes.reduce((sum, outcome) => sum + row[outcome], 0);
  const good = total - row.failed - row.denied;
  // Rounded down: 100 means that every call came through.
  return { ...row, total, success_percent: total === 0 ? 0 : Math.floor((good / total) * 1000) / 10 };
}
