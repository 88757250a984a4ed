import { readFileSync } from "node:fs";
import type { Checks } from "./checks.ts";
import type { Stage } from "./stage.ts";
import { type Answer, ask } from "./wire-client.ts";

/** A request that is refused before any engine hears of it. */
export interface Refusal {
  readonly what: string;
  /** Made when it is sent: some are large. */
  readonly body: () => unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly path?: string;
  readonly status: number;
  readonly code: string;
  /** Milliseconds of work until the answer, the least of three; unbounded unless given. */
  readonly within?: number;
}

const TRIES = 3;
const TURNS = 5;

/** Sends each, three times where its time counts, and asks all three sides about it. */
export async function playRefusals(stage: Stage, checks: Checks, refusals: readonly Refusal[]): Promise<void> {
  const { url } = stage.gateway;
  const sent: Record<string, number> = {};
  const posts = stage.pool.posts("primary") + stage.pool.posts("fallback");
  for (const { what, body, status, code, within, ...where } of refusals) {
    const at = checks.at(what);
    const times: number[] = [];
    for (let i = 0; i < (within === undefined ? 1 : TRIES); i++) {
      const sentBody = body();
      const before = workOf(stage);
      const answer = await ask(url, { ...where, body: sentBody });
      times.push(Math.min(answer.ms, workOf(stage) - before));
      checkError(at, answer, status, code);
      sent[code] = (sent[code] ?? 0) + 1;
    }
    if (within !== undefined) at.within("client", "the work in ms", Math.min(...times), 0, within);
  }
  checks.is("engines", "requests", stage.pool.posts("primary") + stage.pool.posts("fallback") - posts, 0);
  for (const [code, count] of Object.entries(sent)) {
    checks.is("metrics", `requests with ${code}`, await stage.grown("signalbox_requests_total", { code }), count);
  }
  checks.is("metrics", "requests under way", (await stage.gateway.scrape()).sum("signalbox_in_flight_requests"), 0);
}

/** An error in OpenAI's shape, with this status and code. */
export function checkError(checks: Checks, answer: Answer, status: number, code: string): void {
  checks.is("client", "the status", answer.status, status);
  checks.is("client", "the error's code", errorOf(answer.text)?.code, code);
}

/** The error of a body in OpenAI's shape; undefined where there is none. */
function errorOf(text: string): { readonly code?: string; readonly message?: string } | undefined {
  try {
    return (JSON.parse(text) as { error?: { code?: string; message?: string } }).error;
  } catch {
    return undefined;
  }
}

/** Milliseconds that the gateway's main thread has worked. A time without what other programs took of the machine is at most as long as the work in it. */
export function workOf({ gateway }: Stage): number {
  return Number(readFileSync(`/proc/${gateway.pid}/schedstat`, "utf8").split(" ")[0]) / 1e6;
}

/** Longest hold-up of the gateway's event loop by one turn of `work`, in milliseconds; the least of five. */
export async function holdUpOf(stage: Stage, work: () => Promise<unknown>): Promise<number> {
  const { gateway } = stage;
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < TURNS; i++) {
    await gateway.scrape();
    gateway.forgetLag();
    const before = workOf(stage);
    await work();
    const worked = workOf(stage) - before;
    await gateway.scrape();
    least = Math.min(least, gateway.lag.maxMs, worked);
  }
  return least;
}
