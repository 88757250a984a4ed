import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { filesUnder, root } from "./repository.ts";

const files = filesUnder(".");

test("no source file has more than 400 lines", () => {
  const sources = files.filter((path) => /\.(ts|mjs|py)$/.test(path) && !/\.test\.ts$/.test(path));
  expect(sources.length).toBeGreaterThan(100);
  const long = sources
    .map((path) => ({ path, lines: readFileSync(join(root, path), "utf8").trimEnd().split("\n").length }))
    .filter(({ lines }) => lines > 400);
  expect(long).toEqual([]);
});

test("the lockfile names no host that packages come from: whoever installs says where", () => {
  const lockfile = readFileSync(join(root, "pnpm-lock.yaml"), "utf8");
  expect(lockfile).toContain("integrity: sha512-");
  expect(lockfile.match(/\bhttps?:\/\/\S+/g) ?? []).toEqual([]);
});

const pages = files.filter((path) => path.endsWith(".md"));

test.each(pages)("the links of %s lead to files and headings that are there", (page) => {
  const text = withoutCode(page);
  const broken: string[] = [];
  for (const [, target = ""] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
    if (/^https?:/.test(target)) continue;
    const [path = "", heading] = target.split("#");
    const file = path === "" ? page : join(dirname(page), path);
    const isThere = existsSync(join(root, file));
    if (!isThere || (heading !== undefined && !headingsOf(file).includes(heading))) broken.push(target);
  }
  expect(broken).toEqual([]);
});

function withoutCode(page: string): string {
  return readFileSync(join(root, page), "utf8").replace(/^```[\s\S]*?^```/gm, "");
}

/** The anchors of a page, as they are made from its headings. */
function headingsOf(page: string): string[] {
  return [...withoutCode(page).matchAll(/^#+ (.*)$/gm)].map(([, title = ""]) =>
    title
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, "")
      .trim()
      .replaceAll(" ", "-"),
  );
}
