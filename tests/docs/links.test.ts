import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { anchorsOf, markdownPages, proseOf, textOf } from "./markdown.ts";
import { filesUnder, root } from "./repository.ts";

/** Why a target that is named in `from` is not there; undefined = it is. */
function brokenIn(from: string, target: string): string | undefined {
  const [path = "", anchor] = target.split("#");
  const file = path === "" ? from : join(dirname(from), path);
  if (!existsSync(join(root, file))) return `${from} -> ${target}: there is no such file`;
  if (anchor === undefined) return undefined;
  if (!file.endsWith(".md")) return `${from} -> ${target}: only pages have anchors`;
  return anchorsOf(file).has(anchor) ? undefined : `${from} -> ${target}: there is no such heading`;
}

const linksOf = (page: string): string[] =>
  [...proseOf(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target as string);

test.each(markdownPages())("the links of %s lead to files and headings that are there", (page) => {
  const ours = linksOf(page).filter((target) => !/^[a-z]+:/.test(target));
  expect(ours.map((target) => brokenIn(page, target)).filter((why) => why !== undefined)).toEqual([]);
});

test("links that lead out are https addresses without a name or a password in them", () => {
  const out = markdownPages().flatMap((page) => linksOf(page).filter((target) => /^[a-z]+:/.test(target)));
  const wrong = out.filter((target) => {
    const url = URL.parse(target);
    return url === null || url.protocol !== "https:" || url.username !== "" || !url.hostname.includes(".");
  });
  expect(wrong).toEqual([]);
});

describe("pages that are named outside of pages", () => {
  // What is meant: messages of the code, comments, help, annotations of alert rules.
  const sources = filesUnder(".").filter(
    (path) =>
      /\.(ts|mjs|py|ya?ml|json|tpl|service|txt)$|Dockerfile$|\.sh$/.test(path) && !/^pnpm-lock|recordings\//.test(path),
  );
  const named = sources.flatMap((path) =>
    [...textOf(path).matchAll(/(?<![\w./-])docs\/[\w./-]+\.md(?:#[\w-]+)?/g)].map(([target]) => ({ path, target })),
  );

  test("are there, and so are their headings", () => {
    expect(named.length).toBeGreaterThan(10);
    const broken = named.map(({ path, target }) => {
      const why = brokenIn("README.md", target);
      return why === undefined ? undefined : `${path}: ${why}`;
    });
    expect(broken.filter((why) => why !== undefined)).toEqual([]);
  });

  test("runbooks of alerts are pages here", () => {
    const rules = sources.filter((path) => path.startsWith("deploy/") && /\.ya?ml$/.test(path));
    const urls = rules.flatMap((path) =>
      [...textOf(path).matchAll(/^\s*runbook_url: *["']?([^\s"']+)/gm)].map(([, url]) => ({
        path,
        url: url as string,
      })),
    );
    expect(urls.filter(({ url }) => !/(^|\/)docs\/[\w-]+\.md#[\w-]+$/.test(url))).toEqual([]);
  });
});

test("a broken link is told, whatever is wrong with it", () => {
  expect(brokenIn("docs/usage.md", "nowhere.md")).toContain("no such file");
  expect(brokenIn("docs/usage.md", "teams.md#nothing")).toContain("no such heading");
  expect(brokenIn("docs/usage.md", "#budgets")).toBeUndefined();
  expect(brokenIn("README.md", "docs/security.md#how-keys-are-checked")).toBeUndefined();
});
