import { type Endpoint, GatewayError, type Outcome } from "@signalbox/protocol";
import { AllAttemptsFailed, AttemptFailure, type Decision, decide, type Opened } from "@signalbox/router";
import { priorityOf } from "../admission/priority-of.ts";
import type { Ticket } from "../admission/ticket.ts";
import type { Team } from "../config/config.ts";
import type { HeaderList, HttpExchange } from "../http/exchange.ts";
import { requestIdOf } from "../http/request-id.ts";
import { Transcript } from "../privacy/transcript.ts";
import type { Serving } from "../runtime/serving.ts";
import { pushLimitHeaders } from "../teams/limit-headers.ts";
import type { Admission, LimitState, Reservation } from "../teams/limits.ts";
import { type Alarm, createAlarm } from "../upstream/alarm.ts";
import type { OpenReply } from "../upstream/attempt.ts";
import { costOf } from "../usage/cost-of.ts";
import { usageOf } from "../usage/usage-of.ts";
import { Attempts } from "./attempts.ts";
import { Cancellation } from "./cancellation.ts";
import { deliverBreak, deliverError, deliverEvents, deliverWhole, startStream } from "./deliver.ts";
import { loggedWords } from "./logged-words.ts";
import { choicesOf, type ReadRequest, readRequest } from "./read-request.ts";
import { mayRecover } from "./recovery/may-recover.ts";
import { Recovery } from "./recovery/recovery.ts";
import { createStory, type Story, tokensOf } from "./story.ts";

/** Tokens that are reserved for a reply whose length the client did not limit. */
const UNTOLD_REPLY_TOKENS = 512;
/** One for all: thousands may leave at once, and where it was made tells nobody anything. */
const clientLeft = new GatewayError("client_closed_request", "the client closed the connection");

/** One request from its head to its last byte: identify, read, decide, admit, open, deliver, settle. Never rejects. */
export async function serveInference(serving: Serving, exchange: HttpExchange, endpoint: Endpoint): Promise<void> {
  const story = createStory(requestIdOf(exchange), endpoint);
  const way = new Way(serving, exchange, story);
  serving.signals.begin();
  serving.tracing.begin(story, exchange);
  try {
    await way.go();
  } catch (error) {
    way.fail(error);
  } finally {
    way.settle();
    serving.tracing.settle(story);
    serving.signals.settle(story);
  }
}

/** One request's way. */
class Way {
  readonly #serving: Serving;
  readonly #exchange: HttpExchange;
  readonly #story: Story;
  readonly #cancellation = new Cancellation();
  #deadline: Alarm | undefined;
  #reservation: Reservation | undefined;
  #limits: LimitState = {};
  #attempts: Attempts | undefined;
  #opened: Opened<OpenReply> | undefined;
  #recovery: Recovery | undefined;
  #started = false;
  #outcome: Outcome = { kind: "client_gone" };

  constructor(serving: Serving, exchange: HttpExchange, story: Story) {
    this.#serving = serving;
    this.#exchange = exchange;
    this.#story = story;
  }

  async go(): Promise<void> {
    const { config } = this.#serving;
    const story = this.#story;
    const caller = this.#serving.identify(this.#exchange);
    story.team = caller.team.name;
    story.key = caller.key;
    story.log = config.privacy.logOf(story.team);
    // Of who wants nothing written down no span is.
    if (story.log === "none") story.trace = undefined;
    this.#exchange.onClientGone(() => this.#cancellation.cancel(clientLeft));
    const bytes = await this.#exchange.readBody(config.server.maxBodyBytes, this.#serving.intake);
    this.#deadline = createAlarm(() => this.#expire(config.timeouts.totalMs));
    this.#deadline.set(config.timeouts.totalMs);
    const request = readRequest(story.endpoint, bytes, {
      maxDepth: config.server.maxJsonDepth,
      maxKeys: config.server.maxJsonKeys,
    });
    story.asked = request.model;
    story.stream = request.stream;
    if (story.trace !== undefined) story.trace.body = request.body;
    if (story.log === "full") story.transcript = new Transcript(request, config.privacy.redaction);
    const decision = this.#decide(request, caller.team.models);
    const replyTokens = replyTokensOf(request, decision);
    const admission = this.#serving.limits.reserve({
      quotas: this.#serving.quotasOf(caller, decision.model.name),
      inputTokens: decision.tokens,
      outputTokens: replyTokens,
      cost: costOf(config.prices.get(decision.model.name), decision.tokens, replyTokens),
      gpuMs: 0,
    });
    this.#admit(admission instanceof Promise ? await admission : admission);
    if (!this.#serving.entrance.isOpen(decision.chain, caller.team.holder)) {
      const ticket = this.#join(caller.team, decision, replyTokens);
      // Between the claim and the first attempt nothing may be awaited, or its slot is another's.
      do await this.#turnOf(ticket);
      while (!ticket.claim(performance.now()));
    }
    this.#attempts = new Attempts({
      serving: this.#serving,
      story,
      team: caller.team,
      request,
      decision,
      cancellation: this.#cancellation,
    });
    this.#opened = await this.#attempts.run();
    await this.#answer(request, this.#opened);
  }

  #expire(ms: number): void {
    this.#cancellation.cancel(new GatewayError("deadline_exceeded", `no complete answer within ${ms} ms`));
  }

  #decide(request: ReadRequest, allowed: ReadonlySet<string> | undefined): Decision {
    const story = this.#story;
    const decision = decide(
      this.#serving.config.privacy.policyOf(story.team),
      {
        endpoint: request.endpoint,
        team: story.team,
        model: request.model,
        body: request.body,
        bytes: request.bytes.length,
        header: (name) => this.#exchange.header(name),
      },
      allowed,
      this.#serving.entrance.loadOf,
    );
    story.chosen = decision.model.name;
    story.complexity = decision.complexity;
    story.rule = decision.rule;
    story.reason = decision.reason;
    story.reasons = decision.reasons;
    story.promptTokens = decision.tokens;
    if (story.trace !== undefined) story.trace.decidedAt = performance.now();
    return decision;
  }

  /** Takes what the request needs of its limits, or says when it may come again. */
  #admit(admission: Admission): void {
    this.#limits = admission.state;
    if (this.#story.trace !== undefined) this.#story.trace.limits = admission.state;
    if (!admission.ok) {
      const { code, message, retryAfterMs, spent } = admission;
      if (spent !== undefined) this.#serving.budgets.refused(spent);
      throw new GatewayError(code, message, { retryAfterMs, final: spent !== undefined });
    }
    this.#reservation = admission.reservation;
  }

  /** A place in the queue before its backends, which are saturated. */
  #join(team: Team, decision: Decision, replyTokens: number): Ticket {
    const priority = priorityOf(team, this.#exchange.header("x-signalbox-priority"));
    this.#story.priority = priority;
    const cost = decision.tokens + replyTokens;
    return this.#serving.entrance.join(decision.chain, { team: team.name, weight: team.weight, priority }, cost);
  }

  /** Resolves when it is its turn. @throws GatewayError when it does not come. */
  async #turnOf(ticket: Ticket): Promise<void> {
    const began = performance.now();
    this.#cancellation.listen(() => ticket.leave(this.#cancellation.reason));
    try {
      await ticket.turn;
    } finally {
      this.#cancellation.unlisten();
      if (ticket.waited) {
        const left = performance.now();
        this.#story.queueMs = (this.#story.queueMs ?? 0) + left - began;
        this.#story.trace?.wait(began, left);
      }
    }
  }

  async #answer(request: ReadRequest, opened: Opened<OpenReply>): Promise<void> {
    const story = this.#story;
    const { reply, candidate, model } = opened;
    opened.permit.alive(performance.now());
    story.backend = candidate.backend.name;
    story.model = model.name;
    if (story.model !== story.chosen) story.reason += `; fallback -> ${story.model}`;
    story.status = 200;
    story.firstTokenAt = reply.firstTokenAt;
    if (mayRecover(model, request)) this.#recovery = this.#recoveryOf(request, opened);
    const answered = this.#recovery?.events() ?? reply.events;
    const events = story.transcript?.watch(answered) ?? answered;
    const headers = this.#headers(opened);
    if (request.stream) {
      startStream(this.#exchange, headers);
      this.#started = true;
      await deliverEvents(this.#exchange, events);
    } else await deliverWhole(this.#exchange, events, headers);
    this.#outcome = { kind: "ok" };
    story.outcome = "ok";
  }

  #recoveryOf(request: ReadRequest, opened: Opened<OpenReply>): Recovery {
    return new Recovery({
      attempts: this.#attempts!,
      request,
      story: this.#story,
      cancellation: this.#cancellation,
      maxAttempts: this.#serving.config.attempts,
      opened,
    });
  }

  #headers(opened: Opened<OpenReply>): HeaderList {
    const story = this.#story;
    const headers = [
      "x-request-id",
      story.id,
      "x-signalbox-backend",
      story.backend,
      "x-signalbox-model",
      story.model,
      "x-signalbox-route",
      story.reason,
      "x-signalbox-attempts",
      String(opened.attempts),
    ];
    this.#pushQueueTime(headers);
    const flagged = opened.reply.calls?.flagged ?? 0;
    if (flagged > 0) headers.push("x-signalbox-tool-calls", `flagged=${flagged}`);
    pushLimitHeaders(headers, this.#limits);
    return headers;
  }

  #pushQueueTime(headers: HeaderList): void {
    const { queueMs } = this.#story;
    if (queueMs !== undefined) headers.push("x-signalbox-queue-ms", String(Math.round(queueMs)));
  }

  /** An error on the way: an honest status while nothing was sent, else an error event at the stream's end. */
  fail(error: unknown): void {
    const story = this.#story;
    const failure = error instanceof AttemptFailure ? error : undefined;
    const told = toGatewayError(error);
    // A reply that nobody reads on would be held open.
    this.#cancellation.cancel(told);
    story.code = told.code;
    story.fault = loggedWords(told, error);
    if (failure !== undefined) {
      this.#outcome = failure.outcome;
      story.cause = failure.outcome.kind === "failed" ? failure.outcome.cause : undefined;
    }
    story.outcome = failure?.outcome.kind ?? (told.code === "client_closed_request" ? "client_gone" : story.outcome);
    if (this.#started) {
      // A client that left needs no word.
      if (story.outcome !== "client_gone") deliverBreak(this.#exchange, told);
      return;
    }
    story.status = told.status;
    const headers = ["x-request-id", story.id];
    if (story.attempts > 0) headers.push("x-signalbox-attempts", String(story.attempts));
    this.#pushQueueTime(headers);
    if (story.reason !== "") headers.push("x-signalbox-route", story.reason);
    pushLimitHeaders(headers, this.#limits);
    try {
      deliverError(this.#exchange, told, headers);
    } catch {
      this.#exchange.drop();
    }
  }

  /** The one place where the end of a request is told to breaker, limits and ledger. */
  settle(): void {
    this.#deadline?.clear();
    const story = this.#story;
    const opened = this.#recovery?.opened ?? this.#opened;
    const { progress, lastEventAt } = opened?.reply ?? {};
    if (progress !== undefined) {
      story.usage = this.#recovery === undefined ? progress.ledger.usage : this.#recovery.usage;
      story.contentEvents = progress.ledger.contentEvents;
      story.malformedEvents = progress.malformed;
      story.lastEventAt = lastEventAt?.();
      story.committedAt = opened?.reply.firstTokenAt;
    }
    opened?.permit.end(this.#outcome);
    this.#pay();
  }

  /** What the request took counts against its limits, and is written down. */
  #pay(): void {
    const story = this.#story;
    const attempts = this.#attempts;
    if (attempts === undefined || story.attempts === 0) {
      this.#reservation?.release();
      return;
    }
    attempts.pay(story.model || story.chosen, tokensOf(story));
    const { prices, baselinePrice } = this.#serving.config;
    if (prices.size > 0) {
      const { cost, inputTokens, outputTokens } = attempts.spent;
      story.cost = cost;
      story.baselineCost = costOf(baselinePrice, inputTokens, outputTokens);
    }
    this.#reservation?.settle(attempts.spent);
    const entry = this.#serving.ledger && usageOf(story, attempts.spent);
    if (entry !== undefined) this.#serving.ledger?.enter(entry);
  }
}

/** Tokens to reserve for the reply, before anything of it is there. */
function replyTokensOf(request: ReadRequest, { features }: Decision): number {
  if (features.endpoint === "embeddings") return 0;
  return (features.maxTokens ?? UNTOLD_REPLY_TOKENS) * choicesOf(request);
}

function toGatewayError(error: unknown): GatewayError {
  if (error instanceof GatewayError) return error;
  if (error instanceof AllAttemptsFailed) return error.error;
  if (error instanceof AttemptFailure) {
    if (error.outcome.kind === "client_gone")
      return new GatewayError("client_closed_request", error.message, { cause: error });
    if (error.end.how === "timeout" && error.end.which === "total") {
      return new GatewayError("deadline_exceeded", error.message, { cause: error });
    }
    if (error.end.how === "denied") return error.end.error;
    return new GatewayError("stream_interrupted", `the answer broke off: ${error.message}`, { cause: error });
  }
  return new GatewayError("internal_error", "internal error", { cause: error });
}
