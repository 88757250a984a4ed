import { type CallWatch, type DialectName, Normaliser, type RawChoice, readTools } from "@signalbox/adapter";
import { type Endpoint, GatewayError, type Usage } from "@signalbox/protocol";
import {
  AllAttemptsFailed,
  type AttemptEffects,
  AttemptFailure,
  attemptLoop,
  type Candidate,
  type Choice,
  type Decision,
  type Deployment,
  type Model,
  type Opened,
  type Permit,
  type Rival,
} from "@signalbox/router";
import type { Team } from "../config/config.ts";
import type { BackendRuntime } from "../runtime/backend-runtime.ts";
import type { Serving } from "../runtime/serving.ts";
import { type OpenReply, openAttempt } from "../upstream/attempt.ts";
import { costOf } from "../usage/cost-of.ts";
import { AttemptCalls } from "./call-watch.ts";
import type { Cancellation } from "./cancellation.ts";
import { choicesOf, type ReadRequest } from "./read-request.ts";
import { recallReasoning } from "./recall-reasoning.ts";
import type { BegunReply } from "./recovery/continuation-request.ts";
import { mayRecover, needsCounts } from "./recovery/may-recover.ts";
import { type Story, tokensOf } from "./story.ts";
import { upstreamBody } from "./upstream-body.ts";

/** A prompt of this many tokens grants one more second until the first token. */
const TOKENS_PER_EXTRA_SECOND = 4096;
/** A reply that is not streamed shows no first token: all of it may take this many times the first-token limit. */
const WHOLE_REPLY_FACTOR = 10;

/** Why an attempt is given up whose rival has settled the request. */
const withdrawn = new GatewayError("client_closed_request", "another attempt has settled the request");

const unwatched: CallWatch = { call() {}, failed() {} };

export interface AttemptsOptions {
  readonly serving: Serving;
  readonly story: Story;
  readonly team: Team;
  readonly request: ReadRequest;
  readonly decision: Decision;
  readonly cancellation: Cancellation;
}

/** The attempts of one request: what the attempt loop needs from outside, it asks of this. */
export class Attempts implements AttemptEffects<OpenReply> {
  readonly #serving: Serving;
  readonly #story: Story;
  readonly #request: ReadRequest;
  /** The request with the reasoning that its client dropped, for models that remember it. */
  readonly #recalled: ReadRequest;
  readonly #decision: Decision;
  readonly #team: Team;
  readonly #cancellation: Cancellation;
  /** What replies have cost that were denied before another was asked for, and the GPU time of all attempts. */
  readonly spent = { inputTokens: 0, outputTokens: 0, cost: 0, gpuMs: 0 };

  constructor({ serving, story, team, request, decision, cancellation }: AttemptsOptions) {
    this.#serving = serving;
    this.#story = story;
    this.#team = team;
    this.#request = request;
    this.#recalled = recallReasoning(request, serving, story.team, decision.chain);
    this.#decision = decision;
    this.#cancellation = cancellation;
  }

  /**
   * Tries the decision's candidates until one commits, and tells the story of it.
   * @throws AllAttemptsFailed
   */
  async run(): Promise<Opened<OpenReply>> {
    const { config, retryBudget } = this.#serving;
    const story = this.#story;
    retryBudget.request();
    const began = performance.now();
    try {
      const opened = await attemptLoop<OpenReply>(
        {
          chain: this.#decision.chain,
          attempts: config.attempts,
          holder: this.#team.holder,
          signal: this.#cancellation,
        },
        this,
      );
      story.records = opened.records;
      story.attempts = opened.attempts;
      return opened;
    } catch (error) {
      if (error instanceof AllAttemptsFailed) {
        story.records = error.records;
        story.attempts = error.attempts;
      }
      throw error;
    } finally {
      story.waitedMs = performance.now() - began;
    }
  }

  now(): number {
    return performance.now();
  }

  random(): number {
    return Math.random();
  }

  sleep(ms: number): Promise<void> {
    return sleep(ms, this.#cancellation);
  }

  startTimer(ms: number, ring: () => void): () => void {
    const timer = setTimeout(ring, ms);
    return () => clearTimeout(timer);
  }

  choose(model: Model): Choice {
    return this.#serving.choose(model);
  }

  takeRetry(): boolean {
    return this.#serving.retryBudget.take();
  }

  giveBackRetry(): void {
    this.#serving.retryBudget.giveBack();
  }

  hedgeAfterMs({ hedgeAfterMs }: Model): number | undefined {
    return hedgeAfterMs === undefined ? undefined : this.#untilContent(hedgeAfterMs);
  }

  retryInMs(): number {
    return this.#serving.retryInMs(this.#decision.chain);
  }

  openRival(candidate: Candidate, model: Model, permit: Pick<Permit, "alive">): Rival<OpenReply> {
    const cancellation = this.#cancellation.child();
    // Async, so that what cannot be opened fails as what is opened does.
    const open = async (): Promise<OpenReply> => this.open(candidate, model, permit, undefined, cancellation);
    return { reply: open(), withdraw: () => cancellation.cancel(withdrawn) };
  }

  /** `begun`: another backend began the reply, and this one is to go on with it. */
  open(
    candidate: Candidate,
    model: Model,
    permit: Pick<Permit, "alive">,
    begun?: BegunReply,
    cancellation = this.#cancellation,
  ): Promise<OpenReply> {
    const request = model.rememberReasoningMs === undefined ? this.#request : this.#recalled;
    const backend = this.#serving.backends.get(candidate.deployment.backend)!;
    const { kind, transport, config } = backend;
    if (config.hosted) this.#checkMayLeave(backend);
    const path = kind.paths[request.endpoint];
    if (path === undefined) throw noEndpoint(backend, request.endpoint);
    if (transport === undefined) {
      throw new AttemptFailure({ how: "fault", fault: "connect" }, `${backend.name}: its address is not known yet`);
    }
    const upstreamModel = backend.nameOf(candidate.deployment.model);
    const { incoming } = this.#story;
    const trace = this.#story.trace?.begin(backend, model.name, upstreamModel);
    const { firstTokenMs, idleMs, coldStartMs } = config.timeouts;
    const calls = request.endpoint === "chat_completions" ? this.#watchCalls(candidate, model) : undefined;
    const recovers = mayRecover(model, request);
    const counts = recovers && needsCounts(model, request);
    const normaliser = calls && this.#normaliser(candidate, calls);
    if (begun !== undefined) normaliser?.resume(begun.text);
    return openAttempt({
      transport,
      path,
      headers: backend.headers,
      requestId: this.#story.id,
      // Whose traces they are is nobody's business outside the house.
      traceparent: config.hosted ? undefined : (trace?.header ?? incoming?.header),
      tracestate: incoming?.state,
      trace,
      body: upstreamBody(request, { kind, model, deployment: candidate.deployment, upstreamModel, counts, begun }),
      cancellation,
      options: {
        backend: backend.name,
        kind,
        endpoint: request.endpoint,
        stream: request.stream,
        includeUsage: request.includeUsage,
        choices: choicesOf(request),
        normaliser,
        keepsHeld: recovers,
      },
      calls,
      limits: {
        firstTokenMs: this.#untilContent(firstTokenMs),
        idleMs,
        coldStartMs,
        cold: () => backend.isCold(candidate.deployment.model),
      },
      onAlive: (now) => permit.alive(now),
      onHeaders: (headers) => {
        const load = kind.loadFromHeaders?.(headers);
        if (load !== undefined) backend.state.observeLoad(load);
      },
      gpu: backend.gpu,
      spent: this.spent,
      onDenied: ({ usage, contentEvents }) => {
        const story = this.#story;
        const tokens = tokensOf({ ...story, usage, contentEvents, firstTokenAt: 0 });
        story.denied = [...(story.denied ?? []), { backend: backend.name, model: model.name, usage: tokens }];
        this.pay(model.name, tokens);
      },
    });
  }

  /** The policy that a team's chain is made of has no backend that it may not reach; one that were made otherwise ends here. */
  #checkMayLeave({ name }: BackendRuntime): void {
    const { team } = this.#story;
    if (!this.#serving.config.privacy.keepsLocal(team)) return;
    const error = new GatewayError("data_not_allowed", `${name}: is hosted, and the data of team ${team} stays local`);
    throw new AttemptFailure({ how: "denied", escalate: false, error }, error.message);
  }

  /** Adds a reply's tokens, and what they cost by the model that wrote it. */
  pay(model: string, { promptTokens, completionTokens }: Usage): void {
    const { spent } = this;
    spent.inputTokens += promptTokens;
    spent.outputTokens += completionTokens;
    spent.cost += costOf(this.#serving.config.prices.get(model), promptTokens, completionTokens);
  }

  /** A limit for the first token, as it is for this request. */
  #untilContent(ms: number): number {
    const extraMs = Math.floor(this.#decision.tokens / TOKENS_PER_EXTRA_SECOND) * 1000;
    return (this.#request.stream ? ms : ms * WHOLE_REPLY_FACTOR) + extraMs;
  }

  /** Can the reply of a deployment be read from the end of this text on, as if the text had come from it? */
  resumes(deployment: Deployment, text: string): boolean {
    return this.#normaliser({ deployment }, unwatched).resume(text);
  }

  #watchCalls({ deployment }: Candidate, model: Model): AttemptCalls {
    const serving = this.#serving;
    const { capture } = serving;
    const { backend, dialect, reasoningFirst } = deployment;
    const request = this.#request;
    const source = { id: this.#story.id, backend, model: model.name, dialect, reasoningFirst };
    const takers: ((raw: RawChoice) => void)[] = [];
    if (capture !== undefined && this.#story.log !== "none")
      takers.push((raw) => capture.take(raw, { ...source, tools: () => readTools(request.body.tools) }));
    if (model.rememberReasoningMs !== undefined)
      takers.push((raw) => serving.reasoning.keep(raw, this.#story.team, model));
    return new AttemptCalls({
      story: this.#story,
      backend,
      model: model.name,
      guard: serving.config.guards.of(model.name, this.#story.team),
      tools: () => serving.declaredTools(request),
      takers,
    });
  }

  #normaliser({ deployment }: Pick<Candidate, "deployment">, watch: CallWatch): Normaliser {
    const request = this.#request;
    return new Normaliser({
      dialect: deployment.dialect as DialectName,
      tools: request.body.tools,
      toolChoice: request.body.tool_choice,
      reasoningFirst: deployment.reasoningFirst,
      engineParses: deployment.toolParser === "engine",
      streamed: request.stream,
      includeUsage: request.includeUsage,
      watch,
    });
  }
}

function sleep(ms: number, cancellation: Cancellation): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      cancellation.unlisten();
      resolve();
    };
    const timer = setTimeout(done, ms);
    cancellation.listen(done);
  });
}

/** As an engine says it that was started without what the request needs: nothing is wrong with the backend. */
function noEndpoint({ name, kind }: BackendRuntime, endpoint: Endpoint): AttemptFailure {
  const message = `${name}: ${kind.title} has no ${endpoint}`;
  const error = { status: 501, meaning: "model_missing", message, retryAfterMs: undefined, body: undefined } as const;
  return new AttemptFailure({ how: "refused", error }, message);
}
