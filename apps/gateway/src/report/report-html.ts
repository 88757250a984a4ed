import type { Report } from "./report.ts";
import type { ReportAlert } from "./report-alerts.ts";
import { alertWords, keyFigures, type ReportTable, reportTables, timeWords } from "./report-words.ts";

/** A report as one page that needs nothing else: no script, no picture, no address of anywhere. */
export function reportHtml(report: Report): string {
  const alerts = report.alerts.map(alertItem).join("\n");
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="content-security-policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Signalbox report, ${escaped(report.until.slice(0, 16).replace("T", " "))}</title>
<style>${style}</style>
</head>
<body>
<main>
<h1>Signalbox report</h1>
<p class="time">${escaped(timeWords(report))}</p>
<section>
<h2>Alerts</h2>
${alerts === "" ? '<p class="fine">None.</p>' : `<ul class="alerts">\n${alerts}\n</ul>`}
</section>
<section>
<h2>Figures</h2>
<dl>
${keyFigures(report)
  .map(([name, value]) => `<div><dt>${escaped(name)}</dt><dd>${escaped(value)}</dd></div>`)
  .join("\n")}
</dl>
</section>
${reportTables(report).map(tableSection).join("\n")}
<footer>${escaped(report.gateways.map(({ version, config_hash, from }) => `Signalbox ${version}, config ${config_hash}, known since ${from.slice(0, 16).replace("T", " ")} UTC`).join(" · "))}</footer>
</main>
</body>
</html>
`;
}

function alertItem(alert: ReportAlert): string {
  const word = alert.until === null ? alert.severity : `was ${alert.severity}`;
  const mark = alert.until === null ? alert.severity : "over";
  return `<li class="${mark}"><b>${escaped(word)}</b> ${escaped(alertWords(alert))}</li>`;
}

function tableSection({ title, head, rows, words }: ReportTable): string {
  const cell = (tag: "th" | "td", text: string, column: number): string => {
    const isText = column < words || head[column] === "ADVICE";
    return `<${tag}${isText ? "" : ' class="number"'}>${escaped(text)}</${tag}>`;
  };
  const lines = rows.map((row) => `<tr>${row.map((text, column) => cell("td", text, column)).join("")}</tr>`);
  return `<section>
<h2>${escaped(title)}</h2>
<div class="wide"><table>
<thead><tr>${head.map((text, column) => cell("th", text.toLowerCase(), column)).join("")}</tr></thead>
<tbody>
${lines.join("\n")}
</tbody>
</table></div>
</section>`;
}

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};
const escaped = (text: string): string => text.replace(/[&<>"']/g, (one) => entities[one]!);

const style = `
:root { color-scheme: light dark; --ink: #1c2128; --soft: #59636e; --line: #d1d9e0; --back: #fff; --red: #b3261e; --amber: #8a5a00; --green: #1a7f37; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --soft: #9198a1; --line: #3d444d; --back: #0d1117; --red: #ff8a80; --amber: #e3b341; --green: #57ab5a; }
}
body { margin: 0; background: var(--back); color: var(--ink); font: 15px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 1.5rem; }
h1 { font-size: 1.5rem; margin: 0; }
h2 { font-size: 1rem; margin: 1.75rem 0 .5rem; }
.time, footer, dt, th { color: var(--soft); }
.time { margin: 0; }
.fine { color: var(--green); margin: 0; }
.alerts { list-style: none; margin: 0; padding: 0; }
.alerts li { border-left: 4px solid var(--line); padding: .15rem .6rem; margin: .25rem 0; }
.alerts .critical { border-color: var(--red); } .alerts .critical b { color: var(--red); }
.alerts .warning { border-color: var(--amber); } .alerts .warning b { color: var(--amber); }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(17rem, 1fr)); gap: .5rem 1.5rem; margin: 0; }
dt { font-size: .85rem; } dd { margin: 0; font-variant-numeric: tabular-nums; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid var(--line); white-space: nowrap; vertical-align: top; }
th { font-weight: 500; font-size: .85rem; }
td:last-child { white-space: normal; }
.number { text-align: right; }
footer { margin-top: 2rem; font-size: .85rem; }
@media print {
  :root { --ink: #000; --soft: #444; --line: #bbb; --back: #fff; --red: #b3261e; --amber: #8a5a00; --green: #1a7f37; }
  body { font-size: 10pt; } main { max-width: none; padding: 0; }
  section, tr { break-inside: avoid; } .wide { overflow: visible; }
}
`;
