import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { isSourceFolder, root } from "./repository.ts";

/** One code block of a worked example: a new file, a change of a file, or commands. */
export interface Block {
  readonly language: string;
  /** Of the file, relative to the repository; empty for commands. */
  readonly path: string;
  readonly text: string;
}

/** The code blocks of the section of a page under this heading, in their order. */
export function blocksOf(page: string, heading: string): readonly Block[] {
  const section = page.split(/^## /m).find((part) => part.startsWith(`${heading}\n`));
  if (section === undefined) throw new Error(`there is no section «${heading}»`);
  return [...section.matchAll(/^```(\w+)(?: (\S+))?\n([\s\S]*?)^```$/gm)].map(
    ([, language = "", path = "", text = ""]) => ({ language, path, text }),
  );
}

/**
 * Applies a change: `+` lines are added, `-` lines removed, the others say where; `@@` stands between two places.
 * @throws Error when a place is not there, or there more than once.
 */
export function applyChange(before: string, change: string): string {
  let text = before;
  for (const hunk of change.split(/^@@.*\n/m)) {
    const lines = hunk.trimEnd().split("\n");
    const side = (other: string) =>
      lines
        .filter((line) => !line.startsWith(other))
        .map((line) => `${line.slice(1)}\n`)
        .join("");
    const from = `\n${side("+")}`;
    const parts = `\n${text}`.split(from);
    if (parts.length !== 2) throw new Error(`this is there ${parts.length - 1} times, not once:${from}`);
    text = parts.join(`\n${side("-")}`).slice(1);
  }
  return text;
}

/** A copy of the repository in a folder of its own, to be changed at will. */
export interface Copy {
  /** Writes or changes the file that a block is about. */
  apply(block: Block): void;
  /** Runs a line such as `pnpm vitest packages/router`, a script of package.json; resolves with what it printed. */
  run(line: string): Promise<{ code: number; output: string }>;
  remove(): void;
}

/** Copies the sources. Dependencies are linked, but for the workspace's own packages, which are those of the copy. */
export function copyRepository(): Copy {
  const folder = mkdtempSync(join(tmpdir(), "signalbox-example-"));
  for (const { name } of readdirSync(root, { withFileTypes: true })) {
    if (!isSourceFolder(name) && name !== ".npmrc" && name !== ".gitignore") continue;
    cpSync(join(root, name), join(folder, name), { recursive: true, verbatimSymlinks: true });
  }
  // A folder of its own, so that no cache of a test run is shared.
  mkdirSync(join(folder, "node_modules"));
  for (const name of readdirSync(join(root, "node_modules"))) {
    if (name.startsWith(".") && name !== ".pnpm") continue;
    symlinkSync(join(root, "node_modules", name), join(folder, "node_modules", name));
  }
  return {
    apply({ language, path, text }) {
      const file = join(folder, path);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, language === "diff" ? applyChange(readFileSync(file, "utf8"), text) : text);
    },
    run: (line) => runLine(folder, line),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

const programs: Readonly<Record<string, string>> = {
  vitest: "node_modules/vitest/vitest.mjs",
  tsc: "node_modules/typescript/bin/tsc",
  biome: "node_modules/@biomejs/biome/bin/biome",
};

function runLine(folder: string, line: string): Promise<{ code: number; output: string }> {
  const { scripts } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as {
    scripts: Record<string, string>;
  };
  const [pnpm, name = "", ...rest] = line.split(" ");
  if (pnpm !== "pnpm") throw new Error(`«${line}» is no command of pnpm`);
  const [program = "", ...words] = [...(scripts[name] ?? name).split(" "), ...rest];
  const file = programs[program];
  if (file === undefined && program !== "node") throw new Error(`«${line}»: ${program} is not known`);
  // What the test runner tells its own children would confuse a test runner that is one.
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([key]) => !/^(VITEST|NODE_OPTIONS|TEST$)/.test(key)),
  );
  const args = file === undefined ? words : [join(folder, file), ...words];
  return new Promise((resolve) => {
    execFile(process.execPath, args, { cwd: folder, env: { ...env, NO_COLOR: "1" } }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : 1;
      const output = `$ ${line}  (in ${basename(folder)})\n${stdout}${stderr}`;
      resolve({ code, output: output.slice(-20_000) });
    });
  });
}
