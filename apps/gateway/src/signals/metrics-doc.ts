import { type MetricRow, metricTable } from "./metric-table.ts";

const head = ["| metric | type | labels | what it counts |", "|---|---|---|---|"];

/** The page on metrics with its table written anew. @throws Error when the page has no table of metrics. */
export function withMetricTable(page: string): string {
  const lines = page.split("\n");
  const from = lines.indexOf(head[0]!);
  if (from < 0) throw new Error(`no line «${head[0]}»`);
  const length = lines.slice(from).findIndex((line) => !line.startsWith("|"));
  return [...lines.slice(0, from), ...metricRows(), ...lines.slice(from + length)].join("\n");
}

function metricRows(): string[] {
  const rows = Object.entries(metricTable).map(([name, { type, labels, help }]: [string, MetricRow]) => {
    const named = labels.map((label) => `\`${label}\``).join(" ");
    return `| \`${name}\` | ${type} | ${named || "–"} | ${help} |`;
  });
  return [...head, ...rows];
}
