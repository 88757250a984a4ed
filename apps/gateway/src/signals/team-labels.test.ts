import { expect, test } from "vitest";
import type { Config } from "../config/config.ts";
import { loadConfig } from "../config/load.ts";
import { TeamLabels } from "./team-labels.ts";

async function configOf(teams: string, own: number): Promise<Config> {
  const result = await loadConfig(
    `version: 1
server: { metrics: { teams: ${own} } }
backends: { a: { kind: vllm, url: "http://a:1" } }
models: { m: { on: [{ backend: a }] } }
${teams}`,
    { env: {}, fileName: "test.yaml" },
  );
  if (!result.ok) throw new Error(JSON.stringify(result.errors));
  return result.config;
}

const teamsOf = (rows: readonly string[]): string =>
  `teams:\n${rows.map((row, at) => `  ${row.replace("KEY", `keys: ["sha256:${String(at).padStart(64, "0")}"]`)}\n`).join("")}`;

const three = ["plain: { KEY }", "limited: { KEY, limits: { requests: 1/min } }", "late: { KEY }"];
const paying = "paying: { KEY, budget: { tokens: 1M/day } }";

test("teams with a budget have a label first, then those with limits, then the others as the file has them", async () => {
  const labels = new TeamLabels();
  const rows = teamsOf([...three, paying]);
  for (const [own, known] of [
    [1, ["paying"]],
    [2, ["paying", "limited"]],
    [3, ["paying", "limited", "plain"]],
    [0, []],
  ] as const) {
    labels.follow(await configOf(rows, own));
    expect(["plain", "limited", "late", "paying"].filter((team) => labels.of(team) === team).toSorted()).toEqual(
      known.toSorted(),
    );
  }
  expect(labels.of("paying")).toBe("other");
});

test("a team that the config does not have, and no team at all, are `other`", async () => {
  const labels = new TeamLabels();
  labels.follow(await configOf(teamsOf(three), 100));
  expect([labels.of("gone"), labels.of(""), labels.of("late")]).toEqual(["other", "other", "late"]);
});

test("without teams everybody is `default`", async () => {
  const labels = new TeamLabels();
  labels.follow(await configOf("", 100));
  expect(labels.of("default")).toBe("default");
});
