import { ConfigFile } from "./schema.ts";
import { type Setting, settingsOf } from "./settings.ts";

/**
 * docs/configuration.md with its tables written anew: between `<!-- settings: NAME -->` and `<!-- /settings -->` stands the
 * table of what is under this top key; the rest of the page is written by hand.
 * @throws Error when a top key has no marks, or marks are there for none.
 */
export function settingsDoc(page: string): string {
  const all = Map.groupBy(settingsOf(ConfigFile), ({ path }) => /^\w+/.exec(path)?.[0] ?? "");
  const seen = new Set<string>();
  const written = page.replace(
    /(<!-- settings: (\w+) -->\n).*?(<!-- \/settings -->)/gs,
    (_all, begin: string, name: string, end: string) => {
      const settings = all.get(name);
      if (settings === undefined) throw new Error(`docs/configuration.md has a table of ${name}, which is no key`);
      seen.add(name);
      return `${begin}\n${settingsTable(settings)}\n\n${end}`;
    },
  );
  const missing = [...all.keys()].filter((name) => !seen.has(name));
  if (missing.length > 0) throw new Error(`docs/configuration.md has no table of ${missing.join(", ")}`);
  return written;
}

/** A Markdown table with a row for each. */
export function settingsTable(settings: readonly Setting[]): string {
  const rows = settings.map(({ path, value, fallback, meaning = "" }) => [`\`${path}\``, value, fallback, meaning]);
  const lines = [["Key", "Value", "Default", "Meaning"], ["---", "---", "---", "---"], ...rows].map(
    (cells) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`,
  );
  return lines.join("\n").replace("| --- | --- | --- | --- |", "|---|---|---|---|");
}
