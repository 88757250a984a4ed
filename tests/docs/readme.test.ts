import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { root } from "./repository.ts";
import { runCommand } from "./run-command.ts";

const page = readFileSync(join(root, "README.md"), "utf8");

test("docs/README.md lists every page of docs once, and README.md leads there", () => {
  const pages = readdirSync(join(root, "docs")).filter((name) => name.endsWith(".md") && name !== "README.md");
  const index = readFileSync(join(root, "docs/README.md"), "utf8");
  const listed = [...index.matchAll(/^\| \[([\w-]+\.md)\]\(\1\) \|/gm)].map(([, name]) => name);
  expect(listed.toSorted()).toEqual(pages.toSorted());
  expect(page).toContain("](docs/README.md)");
});

describe("README.md", () => {
  test("is short enough to be read", () => {
    expect(page.split("\n").length).toBeLessThan(260);
  });

  test("says the order in which a newcomer needs it", () => {
    const headings = [...page.matchAll(/^## (.*)$/gm)].map(([, title]) => title);
    expect(headings).toEqual([
      "Run it",
      "What you see",
      "Point it at your engines",
      "Write a policy",
      "Watch it",
      "Deploy it",
      "More",
    ]);
  });

  test("shows what check and explain print of its policy", async () => {
    const folder = mkdtempSync(join(tmpdir(), "signalbox-readme-"));
    try {
      const [yaml = ""] = blocks("yaml");
      const file = join(folder, "signalbox.yaml");
      writeFileSync(file, yaml);
      expect(await runCommand("check", file)).toContain("2 of 2 tests passed");
      const asked = ["--team", "search", "--prompt", "What is the capital of France?"];
      const explained = await runCommand("explain", "--config", file, ...asked);
      expect(explained).toEqual(expect.arrayContaining(linesOf(/^auto -> /)));
      writeFileSync(file, yaml.replace("max_concurrent", "max_concurency"));
      const [told = ""] = await runCommand("check", file);
      const [shown = ""] = linesOf(/^signalbox\.yaml:/);
      expect(told.replace(`${folder}/`, "")).toContain(shown.slice(0, shown.indexOf(", ...")));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

function blocks(language: string): string[] {
  return [...page.matchAll(new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\`$`, "gm"))].map(([, text = ""]) => text);
}

/** The lines of the text block that begins like this, but for the one that stands for others. */
function linesOf(beginning: RegExp): string[] {
  const block = blocks("text").find((text) => beginning.test(text));
  if (block === undefined) throw new Error(`no block begins with ${beginning}`);
  return block.split("\n").filter((line) => line.trim() !== "...");
}
