import { execFileSync, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { wrongIn } from "./commands.ts";
import { fencesOf, markdownPages, proseOf, textOf } from "./markdown.ts";
import { filesUnder, root } from "./repository.ts";

const ours = /^(\$ )?((npx|pnpm|npm|signalbox) .*)$/;

/** Command lines of the code blocks of a page, and those in its text. */
function commandLines(page: string): string[] {
  const inBlocks = fencesOf(page).flatMap(({ language, text }) => {
    const lines = text.replaceAll("\\\n", " ").split("\n");
    // What is shown of a terminal has its commands behind a prompt.
    return lines.flatMap((line) => (language === "text" && !line.startsWith("$") ? [] : (ours.exec(line)?.[2] ?? [])));
  });
  const inText = [...proseOf(page).matchAll(/`((?:npx|pnpm|npm|signalbox) [^`]+)`/g)].map(([, line]) => line as string);
  return [...inBlocks, ...inText];
}

test.each(markdownPages())("the commands of %s are there, with the flags that it gives them", (page) => {
  // docs/cli.md is written from the commands: its usage lines are no calls.
  if (page === "docs/cli.md") return;
  expect(commandLines(page).flatMap((line) => wrongIn(line) ?? [])).toEqual([]);
});

test("the commands that messages of the gateway name are there", () => {
  const sources = filesUnder("apps/gateway/src").filter((path) => path.endsWith(".ts") && !path.endsWith(".test.ts"));
  const named = sources.flatMap((path) =>
    [...textOf(path).matchAll(/(?<=[`(:«] ?)signalbox [a-z]+(?: (?:[a-z]+|--[a-z-]+))*/g)].map(([line]) => line),
  );
  expect(named.length).toBeGreaterThan(10);
  expect([...new Set(named)].flatMap((line) => wrongIn(line) ?? [])).toEqual([]);
});

test("a command that is not there is told, and so is a flag or an action", () => {
  expect(wrongIn("signalbox serves")).toContain("no command «serves»");
  expect(wrongIn("pnpm signalbox check --fast")).toContain("check has no --fast");
  expect(wrongIn("signalbox keys crate --team x")).toContain("keys knows create, create, list, rotate, revoke");
  expect(wrongIn("signalbox backends drain a --no-wait   # a remark --with a flag")).toBeUndefined();
  expect(wrongIn("pnpm soaks")).toContain("no script «soaks»");
  expect(wrongIn("pnpm faults F01 --fulll")).toContain("knows no --fulll");
  expect(wrongIn("pnpm faults F01 --full && rm --recursive x")).toBeUndefined();
  expect(wrongIn("npx pnpm@1.0.0 check")).toContain("pnpm is pnpm@");
});

test.each(markdownPages())("the shell commands of %s are commands of a shell", (page) => {
  for (const { where, language, text } of fencesOf(page)) {
    if (language !== "sh") continue;
    const { status, stderr } = spawnSync("bash", ["-n"], { input: text, encoding: "utf8" });
    expect(`${where}: ${status} ${stderr}`).toBe(`${where}: 0 `);
  }
});

test.each(markdownPages())("the JSON and Python of %s can be read", (page) => {
  for (const { where, language, text } of fencesOf(page)) {
    if (language === "json") {
      const lines = text.trim().startsWith("{") ? text.trim().split(/\n(?=\{)/) : [text];
      for (const line of lines) expect(() => JSON.parse(line), where).not.toThrow();
    }
    if (language === "python" && hasPython())
      expect(
        () => execFileSync("python3", ["-c", "import ast, sys; ast.parse(sys.stdin.read())"], { input: text }),
        where,
      ).not.toThrow();
  }
});

const folders = ["apps", "bench", "deploy", "docs", "examples", "packages", "scripts", "tests"];

test.each(markdownPages())("the files and folders of the repository that %s names are there", (page) => {
  const made = fencesOf(page).map(({ info }) => info);
  const inText = [...proseOf(page).matchAll(/`([\w.-]+(?:\/[\w.<>*-]+)+\/?)`/g)].map(([, path]) => path as string);
  const inBlocks = fencesOf(page)
    .filter(({ language }) => language === "sh")
    .flatMap(({ text }) => text.match(/(?<![\w/.-])[\w.-]+(?:\/[\w.-]+)+/g) ?? []);
  const missing = [...inText, ...inBlocks].filter(
    (path) =>
      folders.includes(path.split("/")[0] as string) &&
      !/[<*]/.test(path) &&
      !made.includes(path) &&
      !existsSync(join(root, path)),
  );
  expect(missing).toEqual([]);
});

function hasPython(): boolean {
  return spawnSync("python3", ["--version"]).status === 0;
}
