import { readFileSync } from "node:fs";
import { reasoningPlaces, upstreamMeanings } from "@signalbox/protocol";
import { describe, expect, test } from "vitest";
import type { BackendKind } from "./kind.ts";
import { kindCases } from "./kind-cases.ts";
import { backendKindNames, kinds } from "./kinds.ts";
import { replay } from "./recording.ts";

const page = readFileSync(new URL("../../../docs/backends.md", import.meta.url), "utf8");
const sections = new Map(
  page
    .split(/^## /m)
    .slice(1)
    .map((section) => [section.slice(0, section.indexOf("\n")), section]),
);

test("the table names every kind, its title, port, concurrency and sampling, and no other", () => {
  const rows = page.split("\n").filter((line) => /^\| `\w+` \|(?:[^|]+\|){4}$/.test(line));
  const expected = backendKindNames.map((name) => {
    const { title, defaultPort, concurrent, discover, sampling } = kinds[name];
    const port = defaultPort ?? (discover === undefined ? "none" : "found at each start");
    const knows = Object.entries(sampling).map(([key, own]) =>
      own === key ? `\`${key}\`` : `\`${key}\` as \`${own}\``,
    );
    const cells = [`\`${name}\``, title, port, concurrent ? "many" : "one", knows.join(", ") || "none"];
    return `| ${cells.join(" | ")} |`;
  });
  expect(rows).toEqual(expected);
});

test("the table of errors has every meaning, in its order", () => {
  const rows = (sections.get("What an error means") ?? "").matchAll(/^\| `(\w+)` \|/gm);
  expect([...rows].map(([, meaning]) => meaning)).toEqual(upstreamMeanings);
});

test("docs/reasoning.md says where every kind reads earlier reasoning, and which places there are", () => {
  const text = readFileSync(new URL("../../../docs/reasoning.md", import.meta.url), "utf8");
  const places = [...text.matchAll(/^\| `(\w+)` \|/gm)].map(([, word]) => word);
  const rows = [...text.matchAll(/^\| `(\w+)` \| `(\w+)` \|$/gm)].map(([, name, place]) => [name, place]);
  const declared = backendKindNames.flatMap((name) => {
    const place = (kinds[name] as BackendKind).reasoningHistory;
    return place === undefined ? [] : [[name, place]];
  });
  expect(rows).toEqual(declared);
  expect(places.slice(rows.length)).toEqual(reasoningPlaces);
});

test("every kind has a section, in the order of the registry, and there is none of another", () => {
  const titles = [...sections.keys()].filter((title) => /: `\w+`$/.test(title));
  expect(titles).toEqual(backendKindNames.map((name) => `${kinds[name].title}: \`${name}\``));
});

describe.each(backendKindNames)("the section of %s", (name) => {
  const kind = kinds[name];
  const section = sections.get(`${kind.title}: \`${name}\``) ?? "";
  const lineOf = (label: string) => section.split("\n").find((line) => line.startsWith(`- ${label}: `)) ?? "";
  const paths = (line: string) => [...line.matchAll(/`(\/[^`]*)`/g)].map(([, path]) => path);

  test("lists the endpoints that the kind offers", () => {
    expect(paths(lineOf("Endpoints"))).toEqual(Object.values(kind.paths));
  });

  test("lists what its probes ask", async () => {
    const asked = new Set<string>();
    for (const engine of kindCases[name].engines) {
      const get = replay(engine);
      await kind.probe((path) => {
        asked.add(path);
        return get(path);
      });
    }
    expect(new Set(paths(lineOf("Probe")))).toEqual(asked);
  });

  test("says what it tells of its load", () => {
    const tells = kindCases[name].finds.load !== undefined;
    expect(lineOf("Load").startsWith("- Load: none"), lineOf("Load")).toBe(!tells);
    expect(lineOf("Load")).not.toBe("");
  });

  test("names every field that the kind edits", () => {
    for (const { edits } of [...kindCases[name].edits, ...(kindCases[name].rawEdits ?? [])]) {
      for (const field of Object.keys(edits)) expect(section).toContain(field);
    }
  });

  test("names the header that the kind's load comes in", () => {
    for (const header of Object.keys(kind.requestHeaders ?? {}))
      expect(section).toContain(header.replace("-format", ""));
  });
});
