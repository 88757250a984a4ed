import type { LimitState } from "./limits.ts";

/** Adds OpenAI's `x-ratelimit-*` headers to a flat list of names and values; none for a team without limits. `x-signalbox-store: local` says that they are this replica's share alone. */
export function pushLimitHeaders(headers: string[], { requests, tokens, local }: LimitState): void {
  if (local) headers.push("x-signalbox-store", "local");
  if (requests !== undefined) {
    headers.push("x-ratelimit-limit-requests", String(requests.limit));
    headers.push("x-ratelimit-remaining-requests", String(requests.remaining));
    headers.push("x-ratelimit-reset-requests", formatReset(requests.resetMs));
  }
  if (tokens !== undefined) {
    headers.push("x-ratelimit-limit-tokens", String(tokens.limit));
    headers.push("x-ratelimit-remaining-tokens", String(tokens.remaining));
    headers.push("x-ratelimit-reset-tokens", formatReset(tokens.resetMs));
  }
}

/** `20ms`, `1s`, `8.64s`, `6m0s`, `1h0m3s`: durations as OpenAI writes them. */
export function formatReset(ms: number): string {
  if (ms < 1000) return `${Math.ceil(ms)}ms`;
  const whole = Math.ceil(ms);
  const hours = Math.floor(whole / 3_600_000);
  const minutes = Math.floor((whole % 3_600_000) / 60_000);
  const seconds = `${(whole % 60_000) / 1000}s`;
  if (hours > 0) return `${hours}h${minutes}m${seconds}`;
  return minutes > 0 ? `${minutes}m${seconds}` : seconds;
}
