import type { Checks } from "./checks.ts";
import type { Pool } from "./pool.ts";
import type { Case, ClientExpectation, Expectation, Mode, Scene } from "./scenario.ts";
import { type ChatAnswer, comesTrue, type Stage } from "./stage.ts";

/** How soon after its answer an engine has been let go. */
const LET_GO_MS = 500;
/** For rows that promise no time: what they would wait for in vain shows in the metrics. */
const WITHIN_MS = 3000;
/** Timers of two processes may differ by so much. */
const TIMER_MS = 5;
/** The log is written behind the requests. */
const LOGGED_MS = 1000;

const both: readonly Mode[] = ["stream", "whole"];

interface Played {
  readonly given: Case;
  readonly mode: Mode;
}

/** Plays each case in each of its modes, all at once, on pools of one gateway. */
export async function playCases(cases: readonly Case[], { profile, checks, start }: Scene): Promise<void> {
  const played = cases.flatMap((given) => (given.modes ?? both).map((mode): Played => ({ given, mode })));
  const pools = played.map(({ given: { pool = {} } }) => (typeof pool === "function" ? pool(profile) : pool));
  const stage = await start({ pools });
  await Promise.all(
    played.map(({ given, mode }, index) => {
      const place = given.what === undefined ? mode : `${given.what} (${mode})`;
      return playCase(given, mode, stage, stage.pools[index]!, checks.at(place));
    }),
  );
  await checkProcess(cases, played, stage, checks);
}

async function playCase(given: Case, mode: Mode, stage: Stage, pool: Pool, checks: Checks): Promise<void> {
  const { fault, fallbackFault, body = {}, times = 1, expect } = given;
  const { client, engines, apart } = expect;
  if (fault !== undefined) await pool.strike(typeof fault === "function" ? fault(stage.profile, pool) : fault);
  if (fallbackFault !== undefined) pool.fallback.fault(fallbackFault);
  const options = client.content === undefined ? { body } : { body, says: client.content };
  for (let i = 0; i < times; i++) {
    checkClient(checks, await stage.chat(mode === "stream", options, pool), client, mode, stage, pool);
  }
  for (const engine of ["primary", "fallback"] as const) {
    checks.is("engines", `the number of requests to the ${engine}`, pool.posts(engine), engines[engine] * times);
    const isLetGo = await comesTrue(() => pool.open(engine) === 0, LET_GO_MS);
    checks.that("engines", `the ${engine} still works ${LET_GO_MS} ms after the answer`, isLetGo);
  }
  if (apart !== undefined) {
    const [first, second] = pool.seen("primary");
    checks.within("engines", "ms between the attempts", (second?.at ?? 0) - (first?.at ?? 0), ...apart);
  }
  await checkMetrics(checks, expect.metrics, times, stage, pool);
}

async function checkMetrics(
  checks: Checks,
  expected: Expectation["metrics"],
  times: number,
  { gateway, before }: Stage,
  pool: Pool,
): Promise<void> {
  const after = await gateway.scrape();
  for (const [name, labels, grown] of expected) {
    const real = inPool(labels, pool);
    const seen = after.sum(`signalbox_${name}`, real) - before.sum(`signalbox_${name}`, real);
    checks.is("metrics", `the growth of ${name}${JSON.stringify(real)}`, seen, grown * times);
  }
  for (const engine of ["primary", "fallback"] as const) {
    const inFlight = after.sum("signalbox_backend_in_flight_requests", { backend: pool.names[engine] });
    checks.is("metrics", `attempts under way at the ${engine}`, inFlight, 0);
  }
}

/** It lives, and has told each request in one line, which is not long and holds nothing that is to be hidden. */
async function checkProcess(
  cases: readonly Case[],
  played: readonly Played[],
  stage: Stage,
  checks: Checks,
): Promise<void> {
  const { gateway } = stage;
  checks.is("client", "the status of /livez", (await fetch(`${gateway.url}/livez`)).status, 200);
  const sent = played.reduce((sum, { given: { times = 1 } }) => sum + times, 0);
  const told = (): number => gateway.requestLines().filter(({ model }) => model !== "warm").length;
  await comesTrue(() => told() >= sent, LOGGED_MS);
  checks.is("log", "the number of lines about requests", told(), sent);
  const longest = Math.max(...gateway.lines.map((line) => JSON.stringify(line).length));
  checks.within("log", "the longest line's characters", longest, 1, 4096);
  for (const { expect } of cases) {
    const { hides } = expect.client;
    if (hides === undefined) continue;
    const shown = JSON.stringify(gateway.lines) + gateway.errors();
    checks.that("log", `the log shows ${hides}`, !hides.test(shown));
  }
}

/** Labels that name a pool's members, or its models even where none was named: pools share a gateway. */
function inPool(labels: Readonly<Record<string, string>>, pool: Pool): Record<string, string> {
  const names: Readonly<Record<string, string>> = pool.names;
  return Object.fromEntries(Object.entries(labels).map(([label, value]) => [label, names[value] ?? value]));
}

function checkClient(
  checks: Checks,
  answer: ChatAnswer,
  expected: ClientExpectation,
  mode: Mode,
  stage: Stage,
  pool: Pool,
): void {
  const { status, end, from, code, attempts, json, hides, headers = {} } = expected;
  checks.is("client", "the status", answer.status, status);
  checks.that("client", "the connection broke", answer.whole);
  if (end === "whole") checkWhole(checks, answer, expected, mode, pool);
  else {
    checks.is("client", "finish_reasons", answer.finishes, []);
    checks.is("client", "[DONE]", answer.done, false);
    checks.is("client", "the error's code", answer.error?.code, code);
    if (end === "broken") checks.that("client", "no word came before the error", answer.content !== "");
    else checks.is("client", "content", answer.content, "");
  }
  if (from !== undefined) {
    checks.is("client", "x-signalbox-backend", answer.headers["x-signalbox-backend"], pool.names[from]);
    const model = pool.names[from === "primary" ? "large" : "small"];
    checks.is("client", "x-signalbox-model", answer.headers["x-signalbox-model"], model);
  }
  if (attempts !== undefined)
    checks.is("client", "x-signalbox-attempts", answer.headers["x-signalbox-attempts"], String(attempts));
  for (const [name, value] of Object.entries(headers)) checks.is("client", name, answer.headers[name], value);
  if (json !== undefined) checks.is("client", "the body", JSON.parse(answer.text), json);
  if (hides !== undefined) checks.that("client", `the body shows ${hides}`, !hides.test(answer.text));
  const { after = 0, within = WITHIN_MS } = expected;
  const { profile, noiseMs } = stage;
  const least = profile.ms(after) - TIMER_MS;
  checks.within("client", "the end in ms", answer.ms, least, profile.ms(after) + within + noiseMs + answer.robbedMs);
}

function checkWhole(checks: Checks, answer: ChatAnswer, expected: ClientExpectation, mode: Mode, pool: Pool): void {
  const { from = "primary", content } = expected;
  checks.is("client", "content", answer.content, content ?? pool.words[from]);
  checks.is("client", "finish_reasons", answer.finishes, ["stop"]);
  checks.is("client", "[DONE]", answer.done, mode === "stream");
  checks.is("client", "the error", answer.error, undefined);
}
