import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { commands } from "../../apps/gateway/src/cli/commands.ts";
import { root } from "./repository.ts";

const page = readFileSync(join(root, "README.md"), "utf8");

describe("README.md", () => {
  test("links every page of docs", () => {
    const pages = readdirSync(join(root, "docs")).filter((name) => name.endsWith(".md"));
    expect(pages.filter((name) => !page.includes(`](docs/${name})`))).toEqual([]);
  });

  test("names commands and scripts that there are, and no command is left out", () => {
    const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { scripts: object };
    const ours = Object.keys(scripts);
    const called = [...page.matchAll(/\bp?npm ([\w:]+)/g)].map(([, name]) => name as string);
    expect(called.filter((name) => name !== "is" && !ours.includes(name))).toEqual([]);
    expect(called).toEqual(expect.arrayContaining(["start", "test", "signalbox", "engines"]));
    const named = new Set([...page.matchAll(/signalbox (\w+)(?= |`|$)/gm)].map(([, name]) => name));
    // The demo is `npm start`.
    const expected = Object.keys(commands).filter((name) => name !== "demo");
    expect([...named].filter((name) => expected.includes(name as string)).sort()).toEqual(expected.sort());
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
      expect(await signalbox(folder, "check", "signalbox.yaml")).toContain("2 of 2 tests passed");
      const explained = await signalbox(
        folder,
        ...["explain", "--config", "signalbox.yaml", "--team", "search"],
        ...["--prompt", "What is the capital of France?"],
      );
      expect(explained.split("\n")).toEqual(expect.arrayContaining(linesOf(/^auto -> /)));
      writeFileSync(file, yaml.replace("max_concurrent", "max_concurency"));
      const [told = ""] = (await signalbox(folder, "check", "signalbox.yaml")).split("\n");
      const [shown = ""] = linesOf(/^signalbox\.yaml:/);
      expect(told).toContain(shown.slice(0, shown.indexOf(", ...")));
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

function signalbox(cwd: string, ...args: string[]): Promise<string> {
  const main = join(root, "apps/gateway/src/main.ts");
  return new Promise((resolve) => {
    execFile(process.execPath, [main, ...args], { cwd }, (_error, stdout, stderr) => resolve(stdout + stderr));
  });
}
