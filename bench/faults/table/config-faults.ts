import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { policyText } from "../gateway-process.ts";
import type { Scenario } from "../scenario.ts";
import { comesTrue, type Stage } from "../stage.ts";

/** What `policyText` made of a stage's config. */
interface Policy {
  readonly backends: Record<string, object>;
  readonly models: Record<string, object>;
}

/** A policy file as somebody breaks it. */
type Breakage = readonly [what: string, text: (policy: Policy) => string];

const breakages: readonly Breakage[] = [
  ["no YAML", () => "models: { oops: [\n"],
  ["half of the file", (policy) => policyText({ ...policy }).slice(0, 300)],
  ["an empty file", () => ""],
  ["junk", () => "\0\0\xff\xfe"],
  ["an unknown key", (policy) => policyText({ ...policy, modles: {} })],
  ["a backend in use removed", ({ models, ...policy }) => policyText({ ...policy, models, backends: {} })],
  ["fallbacks in a circle", (policy) => withModel(policy, "small", { fallback: ["large"] })],
  ["a model on a backend that is none", (policy) => withModel(policy, "large", { on: [{ backend: "none" }] })],
  ["a wrong type", (policy) => withModel(policy, "large", { on: 7 })],
];

function withModel(policy: Policy, name: string, more: object): string {
  return policyText({ ...policy, models: { ...policy.models, [name]: { ...policy.models[name], ...more } } });
}

const WITHIN_MS = 8000;

/** F46: what is in force stays in force. */
export const brokenConfig: Scenario = {
  id: "F46",
  title:
    "broken, half or circular config, a backend removed in use, 100 reloads a second -> the last good one serves, 0 requests fail",
  async play({ start, checks, random }) {
    const stage = await start({ pools: [{ primary: { tokensPerSecond: 200, slots: 100 } }] });
    const { configFile } = stage.gateway;
    const first = readFileSync(configFile, "utf8");
    const policy = JSON.parse(first) as Policy;
    const put = (text: string): void => {
      writeFileSync(`${configFile}.new`, text);
      renameSync(`${configFile}.new`, configFile);
    };
    const isDone = new AbortController();
    const load = Array.from({ length: 4 }, (_, i) => chatOn(stage, i % 2 === 0, isDone.signal));
    for (const [what, text] of breakages) {
      const before = await failures(stage);
      put(text(policy));
      const isTold = await comesTrue(async () => (await failures(stage)) > before, WITHIN_MS);
      checks.that("metrics", `${what}: no reload failed`, isTold);
      const success = (await stage.gateway.scrape()).sum("signalbox_config_reload_success");
      checks.is("metrics", `${what}: config_reload_success`, success, 0);
    }
    put(first);
    await comesTrue(async () => (await stage.gateway.scrape()).sum("signalbox_config_reload_success") === 1, WITHIN_MS);
    for (let i = 0; i < 100; i++) {
      // Some of them half written, as by an editor that does not replace a file whole.
      const text = withModel(policy, "large", { aliases: [`reload-${i}`] });
      if (random() < 0.2) writeFileSync(configFile, text.slice(0, text.length / 2));
      put(text);
      await sleep(10);
    }
    const names = async () => (await fetch(`${stage.gateway.url}/v1/models`)).text();
    const isLast = await comesTrue(async () => (await names()).includes('"reload-99"'), WITHIN_MS);
    checks.that("client", "the last config is not in force", isLast);
    isDone.abort();
    const answers = (await Promise.all(load)).flat();
    checks.within("client", "requests meanwhile", answers.length, 20, 100_000);
    checks.is("client", "answers", [...new Set(answers)], ["200 whole"]);
    checks.is("engines", "requests", stage.pool.posts("primary") + stage.pool.posts("fallback"), answers.length);
    checks.is("metrics", "answers", await stage.grown("signalbox_requests_total", { status: "200" }), answers.length);
    checks.is(
      "metrics",
      "config_reload_success",
      (await stage.gateway.scrape()).sum("signalbox_config_reload_success"),
      1,
    );
  },
};

const failures = ({ gateway }: Stage): Promise<number> =>
  gateway.scrape().then((scrape) => scrape.sum("signalbox_config_reloads_total", { result: "failure" }));

/** Asks again and again; what became of each. */
async function chatOn(stage: Stage, stream: boolean, signal: AbortSignal): Promise<string[]> {
  const seen: string[] = [];
  while (!signal.aborted) {
    const { status, content } = await stage.chat(stream);
    seen.push(`${status} ${content === stage.pool.words.primary ? "whole" : content}`);
  }
  return seen;
}
