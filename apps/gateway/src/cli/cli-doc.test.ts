import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { cliDoc } from "./cli-doc.ts";
import type { Command } from "./command.ts";
import { commandHelp, flagMeaning, flagWords } from "./command-help.ts";
import { commands } from "./commands.ts";

test("docs/cli.md is what `pnpm cli` writes", () => {
  expect(readFileSync(new URL("../../../../docs/cli.md", import.meta.url), "utf8")).toBe(cliDoc());
});

describe.each(Object.entries(commands as Record<string, Command>))("signalbox %s", (name, command) => {
  test("names every flag in its usage, and no other", () => {
    const shown = new Set([...command.usage.matchAll(/--([a-z][a-z-]*)/g)].map(([, flag]) => flag as string));
    const flags = Object.entries(command.flags).map(
      ([flag, about]) => /^--([a-z-]+)/.exec(flagWords(flag, about))?.[1],
    );
    expect([...shown].sort()).toEqual(flags.sort());
    expect(command.usage.startsWith(name)).toBe(true);
  });

  test("says of every flag what it is for, in sentences, and of a text what stands behind it", () => {
    for (const [flag, about] of Object.entries(command.flags)) {
      expect(`${flag}: ${about.meaning}`).toMatch(/: \S.*\.$/);
      expect(`${flag} ${about.type} ${about.value !== undefined}`).toBe(
        `${flag} ${about.type} ${about.type === "string"}`,
      );
    }
  });

  test("says when it ends with 0 and when with 1", () => {
    expect(Object.keys(command.exits)).toEqual(["0", "1"]);
  });
});

test("help shows a command's flags with their defaults, and its exit codes", () => {
  const help = commandHelp(commands.serve).split("\n");
  expect(help[0]).toBe("signalbox serve [--config FILE]");
  expect(help.find((line) => line.startsWith("  --config"))).toMatch(
    /^ +--config FILE, -c {2,}The policy file\. signalbox\.yaml unless given\.$/,
  );
  expect(help.filter((line) => /^ +exit [012] /.test(line))).toHaveLength(3);
});

test("a switch that is on is shown as what turns it off, a flag that may come again says so", () => {
  expect(flagWords("wait", { type: "boolean", default: true, meaning: "Waits." })).toBe("--no-wait");
  expect(flagMeaning({ type: "string", multiple: true, value: "T", meaning: "A team." })).toBe(
    "A team. May be given again.",
  );
});
