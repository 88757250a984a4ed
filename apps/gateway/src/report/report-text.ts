import type { Report } from "./report.ts";
import { alertWords, keyFigures, type ReportTable, reportTables, timeWords } from "./report-words.ts";

/** Lines are no longer, so that they can be mailed. */
const WIDTH = 100;

/** A report as text, of at most 100 columns. */
export function reportText(report: Report): string {
  const figures = keyFigures(report);
  const width = Math.max(...figures.map(([name]) => name.length));
  const alerts = report.alerts.map((alert) => {
    return `  ${alert.until === null ? alert.severity : `was ${alert.severity}`}  ${alertWords(alert)}`;
  });
  const sections = [
    ["Signalbox report", timeWords(report)],
    ["Alerts", ...(alerts.length === 0 ? ["  none"] : alerts)],
    ["Figures", ...figures.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`)],
    ...reportTables(report).map((table) => [table.title, ...tableLines(table)]),
  ];
  return sections.map((lines) => lines.map((line) => cut(line, WIDTH)).join("\n")).join("\n\n");
}

/** Words to the left, numbers to the right; the last column is whatever is left of the line. */
function tableLines({ head, rows, words }: ReportTable): string[] {
  const all = [head, ...rows].map((row) => row.map((cell, column) => cut(cell, column === 0 ? 28 : WIDTH)));
  const last = head.length - 1;
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column]!.length)));
  const isText = (column: number): boolean => column < words || head[column] === "ADVICE";
  return all.map((row) => {
    const cells = row.map((cell, column) => {
      if (!isText(column)) return cell.padStart(widths[column]!);
      return column === last ? cell : cell.padEnd(widths[column]!);
    });
    return `  ${cells.join("  ")}`.trimEnd();
  });
}

const cut = (text: string, width: number): string => (text.length <= width ? text : `${text.slice(0, width - 3)}...`);
