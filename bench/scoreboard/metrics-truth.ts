import type { GatewayProcess } from "../faults/gateway-process.ts";
import type { Scrape } from "../faults/metrics.ts";
import type { Verdict } from "../lab/judge.ts";
import { type Lab, openLab } from "../lab/lab.ts";
import type { Heard, Lane } from "../lab/lane.ts";
import { type Act, type Plan, planOf } from "../lab/plan.ts";
import { promptTokens } from "../lab/talk.ts";
import { Tally } from "../lab/tally.ts";
import { type EngineUrls, keys, mixedPlan, mixedPolicy, teamOf } from "../lab/traffic.ts";
import type { Measure } from "./measure.ts";

const LANES = 32;
const FAULT_SHARE = 0.2;
/** The log keeps so many lines at least. */
const BATCH = 2000;
const timeouts = { connect: "2s", first_token: "5s", idle: "1500ms", total: "20s" };

/** What one attempt is in the metrics, by what the engine did. */
function outcomeOf(act: Act, plan: Plan): string {
  if (act.do === "reset") return "failed";
  if (plan.leaveAfter !== undefined) return "client_gone";
  if (act.do === "answer" || act.do === "malformed_event") return "ok";
  return act.do === "status" && (act.status === 429 || act.status === 503) ? "backpressure" : "failed";
}

/** One of the mix whose every number is known to client or engine; of a call that breaks nobody sees the tokens. */
function countablePlan(seed: number, number: number): Plan {
  const plan = mixedPlan(seed, number, FAULT_SHARE);
  const [act] = plan.acts;
  if (plan.toolCall && act !== undefined) return planOf({ number, stream: plan.stream, toolCall: true });
  // A request that is on its way to a connection as the engine closes it has been tried, and no engine has seen it.
  if (act?.do === "break" && act.how === "last_chunk") return { ...plan, acts: [{ ...act, how: "fin" }] };
  const stalls = act?.do === "break" && act.how === "stall";
  return { ...plan, stream: plan.stream || stalls };
}

/** Counters held against what the client and the engines have counted themselves. */
export const metricsTruth: Measure = {
  title: "series of counters and log lines that are not what client and engines counted, of 10,000 mixed requests",
  target: "0",
  async run({ size, seed }) {
    const requests = size === "full" ? 10_000 : 600;
    await using lab = await openLab({
      engines: ["a", "b", "c"],
      config: (urls) => ({ ...mixedPolicy(urls, 20), defaults: { timeouts, probe: { interval: "1h" } } }),
    });
    const truth = new Truth();
    for (let from = 0; from < requests; from += BATCH) {
      await sendBatch(lab, truth, seed, from, Math.min(requests, from + BATCH));
      truth.readLog(lab.gateway.requestLines());
    }
    const scrape = await lab.gateway.scrape();
    const mismatches = truth.mismatches(scrape);
    const strays = Object.values(lab.engines).reduce((sum, engine) => sum + engine.strays, 0);
    const ok = mismatches.length === 0 && strays === 0 && truth.wrong.length === 0;
    const details = { series: truth.series, requests, strays, mismatches: mismatches.slice(0, 40), wrong: truth.wrong };
    return { value: mismatches.length, ok, details };
  },
};

async function sendBatch(
  { lane, ask }: Lab<keyof EngineUrls>,
  truth: Truth,
  seed: number,
  from: number,
  until: number,
): Promise<void> {
  let next = from;
  const run = async (client: Lane): Promise<void> => {
    while (next < until) {
      const number = next++;
      const plan = countablePlan(seed, number);
      const { heard, verdict } = await ask(client, plan, { model: "large", key: keys[teamOf(number)] });
      truth.take(plan, heard, verdict);
    }
    client.leave();
  };
  await Promise.all(Array.from({ length: LANES }, () => run(lane())));
  // The end of a request whose client left is told a moment later.
  await new Promise((resolve) => setTimeout(resolve, 500));
}

const visitsOf = (plan: Plan): string =>
  plan.visits.map(({ engine, act }) => `${engine} ${outcomeOf(act, plan)}`).join(", ");

/** The attempts of a line of the log; one that was good at once is not listed there. */
function triedIn({ tried, backend, attempts, outcome }: GatewayProcess["lines"][number]): string {
  if (tried === undefined) return attempts === 1 ? `${backend} ok` : "";
  const made = (tried as { backend: string; outcome: string }[]).filter((one) => one.outcome !== "skipped");
  // Of the last one the end was not known yet when it began.
  return made.map((one) => `${one.backend} ${one.outcome === "ok" ? outcome : one.outcome}`).join(", ");
}

const headerOf = ({ head }: Heard, name: string): string =>
  new RegExp(`\r\n${name}: ([^\r]*)`, "i").exec(head)?.[1] ?? "";

/** What the client and the engines know, in the form of the metrics. */
class Truth {
  readonly wrong: string[] = [];
  readonly #counts = new Tally();
  /** What the client knows of a request, by its id. */
  readonly #asked = new Map<string, { readonly line: string; readonly end: Verdict["end"] }>();
  readonly #mismatchedLines: string[] = [];
  #requests = 0;
  #lines = 0;
  readonly #seen = new Set<unknown>();

  get series(): number {
    return this.#counts.size;
  }

  take(plan: Plan, heard: Heard, verdict: Verdict): void {
    const { end, code, tokens, toolCalls, wrong } = verdict;
    if (wrong !== undefined) this.wrong.push(wrong);
    this.#requests++;
    const team = teamOf(plan.number);
    const model = headerOf(heard, "x-signalbox-model") || "large";
    const backend = headerOf(heard, "x-signalbox-backend");
    const left = end === "left";
    const status = String(left && heard.status === 0 ? 499 : heard.status);
    const said = left ? "client_closed_request" : code || "ok";
    this.#counts.add("requests_total", { team, model, status, code: said });
    if (said === "rate_limit_exceeded") this.#counts.add("rate_limited_total", { team, limit: "rate" });
    if (status === "200") {
      const output = end === "ok" ? plan.tokens : tokens;
      this.#counts.add("tokens_total", { team, model, backend, type: "output" }, output);
      if (end === "ok") this.#counts.add("tokens_total", { team, model, backend, type: "input" }, promptTokens);
      if (model !== "large") this.#counts.add("fallbacks_total", { from_model: "large", to_model: model });
      if (toolCalls > 0) this.#counts.add("tool_calls_total", { backend, model, outcome: "clean" }, toolCalls);
    }
    for (const { engine, act } of plan.visits) {
      this.#counts.add("attempts_total", { backend: engine, outcome: outcomeOf(act, plan) });
      if (act.do === "malformed_event") this.#counts.add("malformed_events_total", { backend: engine });
    }
    const id = headerOf(heard, "x-request-id");
    if (id !== "") this.#asked.set(id, { line: `${status} ${said} ${visitsOf(plan)}`, end });
  }

  /** Every request has one line, which says what its client saw. */
  readLog(lines: GatewayProcess["lines"]): void {
    for (const line of lines) {
      if (this.#seen.has(line.request_id)) continue;
      this.#seen.add(line.request_id);
      this.#lines++;
      const asked = this.#asked.get(String(line.request_id));
      if (asked === undefined) continue;
      this.#asked.delete(String(line.request_id));
      const said = `${line.status} ${line.code} ${triedIn(line)}`;
      if (said !== asked.line)
        this.#mismatchedLines.push(`log: «${said}», client: «${asked.line}» ${JSON.stringify(line)}`);
      // How long the engine's own count would have been nobody knows of a reply that broke; the line must be what is counted.
      if (asked.end !== "ok" && line.status === 200) {
        const { team, model, backend, input_tokens: input } = line as Record<string, string>;
        const labels = { team: team!, model: model!, backend: backend!, type: "input" };
        this.#counts.add("tokens_total", labels, Number(input));
      }
    }
  }

  mismatches(scrape: Scrape): string[] {
    const found = [...this.#mismatchedLines, ...this.#counts.differences(scrape)];
    const total = (name: string, count: number, is: number): void => {
      if (count !== is) found.push(`${name}: ${is}, counted ${count}`);
    };
    total("log lines", this.#requests, this.#lines);
    total("requests that no line tells of", 0, this.#asked.size);
    total("durations", this.#requests, scrape.sum("signalbox_request_duration_seconds_count"));
    total("in flight", 0, scrape.sum("signalbox_in_flight_requests"));
    return found;
  }
}
