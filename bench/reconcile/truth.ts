import type { GatewayProcess } from "../faults/gateway-process.ts";
import type { Scrape } from "../faults/metrics.ts";
import { Tally } from "../lab/tally.ts";
import type { Ask } from "./mix.ts";
import { type EngineName, engineNames, labelOf, modelOf, prices } from "./pool.ts";
import type { Reading, ToldUsage } from "./reading.ts";

/** What an engine saw of one attempt. */
export interface Attempt {
  readonly engine: EngineName;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly fault: string | undefined;
  readonly aborted: boolean;
  readonly tokens: number;
}

/** Tokens of one request. */
interface Tokens {
  readonly input: number;
  readonly output: number;
  readonly cached: number;
  readonly reasoning: number;
}

const limits: Readonly<Record<string, string>> = {
  rate_limit_exceeded: "rate",
  concurrency_limit_exceeded: "concurrent",
  budget_exceeded: "budget",
};

/** What clients and engines have counted, in the form of the metrics. */
export class Truth {
  readonly #counts = new Tally();
  readonly #costs = new Map<string, { cost: number; baseline: number }>();
  /** What engines have told of a prompt, and of prompts of its length: what they do not tell is the same again. */
  readonly #told = new Map<string, Tokens>();
  readonly #untold: { readonly ask: Ask; readonly reading: Reading; readonly output: number }[] = [];
  #requests = 0;

  /** A request is over: what its client heard, what engines saw of it, and how many tokens the log estimates. */
  take(ask: Ask, reading: Reading, attempts: readonly Attempt[], line: GatewayProcess["lines"][number]): void {
    this.#requests++;
    const { code } = reading;
    const team = labelOf(ask.team ?? "");
    const left = reading.left && reading.status === 0;
    const chosen = left ? ask.model : reading.chosen;
    const model = reading.model ?? chosen ?? "other";
    const status = String(left ? 499 : reading.status);
    const { endpoint } = ask;
    this.#counts.add("requests_total", { team, model, endpoint, status, code });
    this.#counts.add("request_duration_seconds_count", { team, model, endpoint });
    const rule = left ? "named" : reading.rule;
    if (rule !== undefined)
      this.#counts.add("decisions_total", { rule, model: chosen!, complexity: reading.complexity });
    const limit = limits[code];
    if (limit !== undefined) this.#counts.add("rate_limited_total", { team, limit });
    this.#takeAttempts(attempts);
    if (reading.backend !== undefined) this.#takeAnswer(ask, reading, attempts, line);
  }

  #takeAttempts(attempts: readonly Attempt[]): void {
    const ordered = attempts.toSorted(
      (a, b) =>
        a.at - b.at ||
        Number(b.fault !== undefined) - Number(a.fault !== undefined) ||
        engineNames.indexOf(a.engine) - engineNames.indexOf(b.engine),
    );
    let before: { outcome: string; cause: string } | undefined;
    for (const attempt of ordered) {
      const backend = attempt.engine;
      const model = modelOf[backend];
      const end = endOf(attempt);
      this.#counts.add("attempts_total", { backend, model, ...end });
      this.#counts.add("attempt_duration_seconds_count", { backend, model });
      if (before !== undefined) this.#counts.add("retries_total", { model, cause: before.cause || before.outcome });
      before = end;
    }
  }

  #takeAnswer(ask: Ask, reading: Reading, attempts: readonly Attempt[], line: GatewayProcess["lines"][number]): void {
    const { chosen, code, toolCalls } = reading;
    const model = reading.model!;
    const backend = reading.backend as EngineName;
    this.#counts.add("time_to_first_token_seconds_count", { model, backend });
    if (model !== chosen) this.#counts.add("fallbacks_total", { from_model: chosen!, to_model: model });
    const dialect = backend === "texty" ? "hermes" : "engine";
    if (toolCalls > 0) this.#counts.add("tool_calls_total", { backend, model, dialect }, toolCalls);
    const answering = attempts.findLast(({ engine }) => engine === backend);
    if (answering?.fault === "malformed_event") this.#counts.add("malformed_events_total", { backend });
    const { usage } = reading;
    if (usage !== undefined) {
      const tokens = tokensIn(usage);
      for (const key of promptKeys(ask, backend)) this.#told.set(key, tokens);
      this.#addTokens(ask, reading, tokens);
    } else if (code === "ok") this.#untold.push({ ask, reading, output: answering?.tokens ?? 0 });
    else {
      // No engine has counted: the prompt is the gateway's estimate, the reply as many tokens as have come.
      const input = Number(line.input_tokens);
      this.#addTokens(ask, reading, { input, output: reading.contentEvents, cached: 0, reasoning: 0 });
    }
  }

  /** Of an answer without a word on tokens: as the engine told of the same prompt, or of one as long. */
  #toldLater(ask: Ask, { backend }: Reading, output: number): Tokens {
    const [same, alike] = promptKeys(ask, backend as EngineName).map((key) => this.#told.get(key));
    return same ?? { input: alike?.input ?? Number.NaN, output, cached: 0, reasoning: 0 };
  }

  #addTokens(ask: Ask, { model = "", backend = "" }: Reading, tokens: Tokens): void {
    const team = labelOf(ask.team ?? "");
    for (const [type, count] of [
      ["input", tokens.input],
      ["output", tokens.output],
      ["cached_input", tokens.cached],
      ["reasoning", tokens.reasoning],
    ] as const)
      if (count > 0) this.#counts.add("tokens_total", { team, model, backend, type }, count);
    const key = JSON.stringify({ team, model });
    const sums = this.#costs.get(key) ?? { cost: 0, baseline: 0 };
    this.#costs.set(key, sums);
    sums.cost += costOf(prices[model], tokens);
    sums.baseline += costOf(prices.large, tokens);
  }

  /** Holds what was counted against the metrics: each name with its series, and each difference. */
  against(scrape: Scrape): { readonly rows: readonly Row[]; readonly mismatches: readonly string[] } {
    for (const { ask, reading, output } of this.#untold.splice(0))
      this.#addTokens(ask, reading, this.#toldLater(ask, reading, output));
    const mismatches = [...this.#counts.differences(scrape), ...this.#costDifferences(scrape)];
    for (const [name, is, counted] of [
      ["in_flight_requests", scrape.sum("signalbox_in_flight_requests"), 0],
      [
        "overhead_seconds_count",
        scrape.sum("signalbox_overhead_seconds_count"),
        this.#counts.total("time_to_first_token_seconds_count"),
      ],
      ["requests", this.#counts.total("requests_total"), this.#requests],
    ] as const)
      if (is !== counted) mismatches.push(`${name}: ${is}, counted ${counted}`);
    const rows = [
      ...this.#counts.names.map((name) => ({
        name: `signalbox_${name}`,
        series: this.#counts.seriesOf(name),
        counted: this.#counts.total(name),
        metrics: scrape.sum(`signalbox_${name}`),
      })),
      ...(["cost", "baseline"] as const).map((what) => ({
        name: `signalbox_${costMetrics[what]}`,
        series: this.#costs.size,
        counted: [...this.#costs.values()].reduce((sum, one) => sum + one[what], 0) / 1e9,
        metrics: scrape.sum(`signalbox_${costMetrics[what]}`),
      })),
    ];
    return { rows, mismatches };
  }

  #costDifferences(scrape: Scrape): string[] {
    const found: string[] = [];
    for (const [key, sums] of this.#costs) {
      for (const what of ["cost", "baseline"] as const) {
        const is = scrape.sum(`signalbox_${costMetrics[what]}`, JSON.parse(key) as Record<string, string>);
        // Billionths are added as fractions.
        if (Math.abs(is - sums[what] / 1e9) > 1e-10)
          found.push(`${costMetrics[what]}${key}: ${is}, counted ${sums[what] / 1e9}`);
      }
    }
    return found;
  }
}

/** One metric, and what was counted of it. */
export interface Row {
  readonly name: string;
  readonly series: number;
  readonly counted: number;
  readonly metrics: number;
}

const costMetrics = { cost: "cost_total", baseline: "baseline_cost_total" } as const;

/** What answers have in common whose tokens are the same: all of them, and those of the prompt, which all engines count alike. */
function promptKeys({ bytes, endpoint }: Ask, backend: EngineName): readonly [string, string] {
  const prompt = /"(?:content|prompt)":"([^"]*)"/.exec(bytes.toString())?.[1] ?? "";
  // Replicas of one kind count alike.
  const engine = backend === "a2" ? "a1" : backend;
  const tools = bytes.includes('"tools"');
  // The telling engine says the same whatever it is asked.
  const said = backend === "telling" ? "" : prompt;
  return [`${engine}|${endpoint}|${tools}|${said}`, `${endpoint}|${tools}|${said.length} long`];
}

function tokensIn(usage: ToldUsage): Tokens {
  return {
    input: usage.prompt_tokens,
    output: usage.completion_tokens ?? 0,
    cached: usage.prompt_tokens_details?.cached_tokens ?? 0,
    reasoning: usage.completion_tokens_details?.reasoning_tokens ?? usage.reasoning_tokens ?? 0,
  };
}

function costOf(price: { readonly input: number; readonly output: number } | undefined, tokens: Tokens): number {
  return price === undefined ? 0 : tokens.input * price.input + tokens.output * price.output;
}

/** What an attempt is in the metrics, by what its engine did. */
function endOf({ engine, fault, aborted }: Attempt): { readonly outcome: string; readonly cause: string } {
  if (aborted) return { outcome: "client_gone", cause: "" };
  if (fault === "reset") return { outcome: "failed", cause: "reset" };
  if (fault === "cut") return { outcome: "failed", cause: "cut" };
  if (fault === "status" && engine === "b2") return { outcome: "backpressure", cause: "" };
  if (fault === "status") return { outcome: "failed", cause: "server_error" };
  return { outcome: "ok", cause: "" };
}
