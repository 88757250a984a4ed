import { formatCost, type Grouping, type UsageSum, type UsageSums } from "../usage/usage-sums.ts";
import { textTable } from "./text-table.ts";

/** The columns of a report behind those of its groups. */
const columns = {
  requests: ({ requests }) => String(requests),
  input_tokens: ({ input }) => String(input),
  output_tokens: ({ output }) => String(output),
  total_tokens: ({ input, output }) => String(input + output),
  cached_tokens: ({ cached }) => String(cached),
  reasoning_tokens: ({ reasoning }) => String(reasoning),
  cost: ({ cost }) => formatCost(cost),
  gpu_seconds: ({ gpuMs }) => String(gpuMs / 1000),
} as const satisfies Record<string, (sum: UsageSum) => string>;

const cellsOf = (sum: UsageSum): string[] => Object.values(columns).map((cell) => cell(sum));

/** For people: a table with numbers to the right, and the total below. */
export function usageTable(sums: UsageSums, by: readonly Grouping[]): string {
  const head = [...by, ...Object.keys(columns)].map((name) => name.replace("_", " ").toUpperCase());
  const rows = sums.rows().map((row) => [...row.group.map((value) => value || "-"), ...cellsOf(row)]);
  const total = [...by.map((_, at) => (at === 0 ? "total" : "")), ...cellsOf(sums.total)];
  const table = [head, ...rows, ...(by.length > 0 ? [total] : [])];
  const widths = head.map((_, column) => Math.max(...table.map((row) => row[column]!.length)));
  const aligned = table.map((row) =>
    row.map((cell, column) => (column < by.length ? cell : cell.padStart(widths[column]!))),
  );
  return textTable(aligned).join("\n");
}

/** For spreadsheets: RFC 4180, a head, a row for each group; no total, which they make themselves. */
export function usageCsv(sums: UsageSums, by: readonly Grouping[]): string {
  const lines = [[...by, ...Object.keys(columns)], ...sums.rows().map((row) => [...row.group, ...cellsOf(row)])];
  return lines.map((cells) => cells.map(csvCell).join(",")).join("\r\n");
}

function csvCell(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** For programs: `rows` and `total`; `cost` is a text, since it is exact. */
export function usageJson(sums: UsageSums, by: readonly Grouping[]): string {
  const rows = sums.rows().map((row) => {
    return { ...Object.fromEntries(by.map((name, at) => [name, row.group[at]])), ...valuesOf(row) };
  });
  return JSON.stringify({ by, rows, total: valuesOf(sums.total) }, null, 2);
}

function valuesOf(sum: UsageSum): Record<string, string | number> {
  const values = Object.entries(columns).map(([name, cell]) => {
    const text = cell(sum);
    return [name, name === "cost" ? text : Number(text)];
  });
  return Object.fromEntries(values);
}
