import type { UsageEntry } from "./usage-entry.ts";

/** An entry with what matters to a test. */
export function entry(own: Partial<UsageEntry> = {}): UsageEntry {
  return {
    time: Date.parse("2026-11-21T12:00:00Z"),
    id: "r1",
    team: "search",
    key: "k1",
    model: "large",
    backend: "gpu",
    endpoint: "chat_completions",
    outcome: "ok",
    input: 100,
    output: 20,
    cached: 0,
    reasoning: 0,
    cost: 0,
    gpuMs: 0,
    ...own,
  };
}
