// Writes the table of docs/reliability.md from the JSON of `pnpm faults --full --json FILE`.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Result } from "./run.ts";

interface Run {
  readonly date: string;
  readonly machine: string;
  readonly node: string;
  readonly profile: string;
  readonly seed: number;
  readonly seconds: number;
  readonly results: readonly Result[];
}

/** The fault matrix as Markdown: how it was played, then a line a row. */
export function faultsTable({ date, machine, node, profile, seed, seconds, results }: Run): string {
  const count = (outcome: Result["outcome"]): number => results.filter((one) => one.outcome === outcome).length;
  const rows = results.map(({ id, title, outcome, reason, ms }) => {
    const seen = outcome === "skipped" ? `skipped: ${reason}` : `${outcome}, ${(ms / 1000).toFixed(1)} s`;
    return `| ${id} | ${title.replaceAll("|", "\\|")} | ${seen} |`;
  });
  return `\`pnpm faults${profile === "full" ? " --full" : ""} --seed ${seed}\` on ${date.slice(0, 10)}, ${machine}, Node ${node}, ${Math.round(seconds / 60)} minutes:
${count("ok")} passed, ${count("FAILED")} failed, ${count("skipped")} skipped.

| | fault -> outcome | seen |
|---|---|---|
${rows.join("\n")}
`;
}

/** `text` with everything between the marks of that name replaced. @throws Error when they are not there. */
export function between(text: string, name: string, content: string): string {
  const [begin, end] = [`<!-- ${name} -->\n`, `<!-- /${name} -->`];
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  if (from < 0 || to < from) throw new Error(`there are no marks ${begin.trim()} and ${end}`);
  return `${text.slice(0, from + begin.length)}\n${content}\n${text.slice(to)}`;
}

if (import.meta.main) {
  const [file] = process.argv.slice(2);
  if (file === undefined) {
    console.error("usage: node bench/faults/write-doc.ts FILE   (made by pnpm faults --full --json FILE)");
    process.exit(2);
  }
  const page = join(import.meta.dirname, "../../docs/reliability.md");
  const table = faultsTable(JSON.parse(readFileSync(file, "utf8")) as Run);
  writeFileSync(page, between(readFileSync(page, "utf8"), "faults", table));
}
