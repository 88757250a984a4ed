import { type Story, tokensOf } from "../request-path/story.ts";
import { whole } from "../teams/amounts.ts";
import type { Used } from "../teams/limits.ts";
import type { UsageEntry } from "./usage-entry.ts";

/** What goes into the ledger of a request that is over; undefined = it used nothing. */
export function usageOf(story: Story, { inputTokens, outputTokens, cost, gpuMs }: Used): UsageEntry | undefined {
  if (inputTokens === 0 && outputTokens === 0 && gpuMs === 0) return undefined;
  const { cachedTokens = 0, reasoningTokens = 0 } = tokensOf(story);
  return {
    time: Date.now(),
    // Of a team with `log: none` nothing that is kept may lead back to one request.
    id: story.log === "none" ? "" : story.id,
    team: story.team,
    key: story.key,
    model: story.model || story.chosen,
    backend: story.backend || (story.records.findLast(({ outcome }) => outcome !== "skipped")?.backend ?? ""),
    endpoint: story.endpoint,
    outcome: story.outcome,
    input: whole(inputTokens),
    output: whole(outputTokens),
    cached: whole(cachedTokens),
    reasoning: whole(reasoningTokens),
    cost: whole(cost),
    gpuMs: whole(gpuMs),
  };
}
