import type { Checks } from "./checks.ts";
import type { Pool } from "./pool.ts";
import type { Case, ClientExpectation, Mode, Scene } from "./scenario.ts";
import { type ChatAnswer, comesTrue, type Stage } from "./stage.ts";

/** How soon after its answer an engine has been let go. */
const LET_GO_MS = 500;
const WITHIN_MS = 1000;

const both: readonly Mode[] = ["stream", "whole"];

interface Played {
  readonly given: Case;
  readonly mode: Mode;
}

/** Plays each case in each of its modes, all at once, on pools of one gateway. */
export async function playCases(cases: readonly Case[], scene: Scene): Promise<void> {
  const played = cases.flatMap((given) => (given.modes ?? both).map((mode): Played => ({ given, mode })));
  const stage = await scene.start({ pools: played.map(({ given }) => given.pool ?? {}) });
  await Promise.all(
    played.map(({ given, mode }, index) => {
      const place = given.what === undefined ? mode : `${given.what} (${mode})`;
      return playCase(given, mode, stage, stage.pools[index]!, scene.checks.at(place));
    }),
  );
}

async function playCase(given: Case, mode: Mode, stage: Stage, pool: Pool, checks: Checks): Promise<void> {
  const { fault, body = {}, expect } = given;
  const { client, engines, metrics } = expect;
  if (fault !== undefined) await pool.strike(fault);
  const options = client.content === undefined ? { body } : { body, says: client.content };
  const answer = await stage.chat(mode === "stream", options, pool);
  checkClient(checks, answer, client, mode, stage, pool);
  for (const engine of ["primary", "fallback"] as const) {
    checks.is("engines", `the number of requests to the ${engine}`, pool.posts(engine), engines[engine]);
    const isLetGo = await comesTrue(() => pool.open(engine) === 0, LET_GO_MS);
    checks.that("engines", `the ${engine} still works ${LET_GO_MS} ms after the answer`, isLetGo);
  }
  const after = await stage.gateway.scrape();
  for (const [name, labels, grown] of metrics) {
    const real = inPool(labels, pool);
    const seen = after.sum(`signalbox_${name}`, real) - stage.before.sum(`signalbox_${name}`, real);
    checks.is("metrics", `the growth of ${name}${JSON.stringify(real)}`, seen, grown);
  }
  for (const engine of ["primary", "fallback"] as const) {
    const inFlight = after.sum("signalbox_backend_in_flight_requests", { backend: pool.names[engine] });
    checks.is("metrics", `attempts under way at the ${engine}`, inFlight, 0);
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
  { profile }: Stage,
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
  checks.within("client", "the end in ms", answer.ms, profile.ms(after) - 5, profile.ms(after) + within);
}

function checkWhole(checks: Checks, answer: ChatAnswer, expected: ClientExpectation, mode: Mode, pool: Pool): void {
  const { from = "primary", content } = expected;
  checks.is("client", "content", answer.content, content ?? pool.words[from]);
  checks.is("client", "finish_reasons", answer.finishes, ["stop"]);
  checks.is("client", "[DONE]", answer.done, mode === "stream");
  checks.is("client", "the error", answer.error, undefined);
}
