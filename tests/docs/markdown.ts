import { readFileSync } from "node:fs";
import { join } from "node:path";
import { filesUnder, root } from "./repository.ts";

/** A code block of a page. */
export interface Fence {
  /** Where its text begins: `docs/usage.md:12`. */
  readonly where: string;
  /** Empty where none is named. */
  readonly language: string;
  /** What stands behind the language: in worked examples the file that the block is. */
  readonly info: string;
  readonly text: string;
}

/** All pages of the repository, relative to it. */
export function markdownPages(): readonly string[] {
  return filesUnder(".").filter((path) => path.endsWith(".md"));
}

/** The text of a file of the repository. */
export function textOf(path: string): string {
  return readFileSync(join(root, path), "utf8");
}

/** The code blocks of a page, in their order. */
export function fencesOf(page: string): readonly Fence[] {
  return split(page).fences;
}

/** A page without its code blocks; the lines that are left keep their numbers. */
export function proseOf(page: string): string {
  return split(page).prose;
}

/** The anchors of a page as GitHub makes them from its headings: an equal one gets a number. */
export function anchorsOf(page: string): ReadonlySet<string> {
  const seen = new Map<string, number>();
  const anchors = [...proseOf(page).matchAll(/^#+ (.*)$/gm)].map(([, title = ""]) => {
    const slug = title
      .toLowerCase()
      .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
      .replace(/[^\p{L}\p{N}\s_-]/gu, "")
      .trim()
      .replaceAll(" ", "-");
    const before = seen.get(slug) ?? 0;
    seen.set(slug, before + 1);
    return before === 0 ? slug : `${slug}-${before}`;
  });
  return new Set(anchors);
}

/**
 * The rows of the table of a page whose head begins with these cells, as cells without their blanks.
 * @throws Error when there is no such table, or more than one.
 */
export function tableOf(page: string, ...head: readonly string[]): readonly (readonly string[])[] {
  const lines = proseOf(page).split("\n");
  const starts = lines.flatMap((line, index) => (line.startsWith(`| ${head.join(" | ")} |`) ? [index] : []));
  if (starts.length !== 1) throw new Error(`${page} has ${starts.length} tables of ${head.join(", ")}`);
  const below = lines.slice((starts[0] as number) + 2);
  const end = below.findIndex((line) => !line.startsWith("|"));
  return below.slice(0, end < 0 ? undefined : end).map((line) =>
    line
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

/** The words between backticks of a cell. */
export function codeIn(cell: string | undefined): string[] {
  return [...(cell ?? "").matchAll(/`([^`]+)`/g)].map(([, word]) => word as string);
}

function split(page: string): { fences: Fence[]; prose: string } {
  const fences: Fence[] = [];
  const prose: string[] = [];
  let open: { mark: string; where: string; language: string; info: string; lines: string[] } | undefined;
  for (const [index, line] of textOf(page).split("\n").entries()) {
    const [, mark, language = "", info = ""] = /^\s*(```+)(\S*) ?(.*)$/.exec(line) ?? [];
    if (open === undefined && mark !== undefined) {
      open = { mark, where: `${page}:${index + 2}`, language, info, lines: [] };
    } else if (open !== undefined && line.trim() === open.mark) {
      const { where, language: of, info: about, lines } = open;
      fences.push({ where, language: of, info: about, text: lines.map((each) => `${each}\n`).join("") });
      open = undefined;
    } else if (open !== undefined) open.lines.push(line);
    prose.push(open === undefined && mark === undefined ? line : "");
  }
  if (open !== undefined) throw new Error(`${open.where}: the code block has no end`);
  return { fences, prose: prose.join("\n") };
}
