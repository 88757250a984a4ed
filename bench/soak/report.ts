import { table, verdict } from "../rounds.ts";
import { type SoakResult, soakLimits } from "./soak.ts";

/** A soak as one reads it: figures at 10 %, 50 % and 100 %, answers, and whether the limits are kept. */
export function linesOf(result: SoakResult): string[] {
  const { samples, handlesLeft, ends, wrong, wrongCount } = result;
  const mb = (bytes: number): string => (bytes / 1024 / 1024).toFixed(1);
  const shown = [0.1, 0.5, 1].map((share) => samples[Math.max(1, Math.round(share * samples.length)) - 1]!);
  const rows = shown.map(({ requests, rss, heapUsed, external, descriptors, resources }) =>
    [requests, mb(rss), mb(heapUsed), mb(external), sum(resources), descriptors].map(String),
  );
  const slopes = `RSS ${result.rssSlopeMbPer100k.toFixed(2)}, heap ${result.heapSlopeMbPer100k.toFixed(3)}`;
  const rate = Math.round(result.requests / result.seconds);
  return [
    table([["requests", "RSS MB", "heap MB", "external MB", "handles", "descriptors"], ...rows]),
    `slope, MB per 100,000 requests: ${slopes}`,
    `${result.seconds.toFixed(0)} s, ${rate} requests a second; answers:`,
    table(Object.entries(ends).map(([name, count]) => [name, String(count)])),
    verdict("RSS growth when warm", result.rssGrowthMb, soakLimits.rssGrowthMb, " MB"),
    verdict("heap growth when warm, up or down", Math.abs(result.heapGrowthMb), soakLimits.heapMb, " MB"),
    verdict("wrong answers", wrongCount, 0),
    verdict("handles beyond the baseline", sum(handlesLeft), 0),
    ...Object.entries(handlesLeft).map(([name, count]) => `  ${name}: ${count}`),
    ...wrong.map((line) => `  ${line}`),
  ];
}

const sum = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((total, count) => total + count, 0);
