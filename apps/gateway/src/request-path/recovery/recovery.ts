import { type Outcome, type Reply, ReplyEvent, type Usage } from "@signalbox/protocol";
import { AllAttemptsFailed, AttemptFailure, attemptLoop, type Model, type Opened } from "@signalbox/router";
import type { OpenReply } from "../../upstream/attempt.ts";
import { heldBack } from "../../upstream/reply-events.ts";
import type { Attempts } from "../attempts.ts";
import type { Cancellation } from "../cancellation.ts";
import type { ReadRequest } from "../read-request.ts";
import type { Story } from "../story.ts";
import { type BegunReply, withoutSpace } from "./continuation-request.ts";
import { unsafeToContinue } from "./continuation-safety.ts";
import { ExpectedText, TextMismatch } from "./expected-text.ts";
import { keepAlive } from "./keep-alive.ts";
import { continues, isRecoverable, narrowed, type RecoveryNote, type RecoveryWay } from "./recovery-plan.ts";
import { Seam } from "./seam.ts";
import { SentReply } from "./sent-reply.ts";

type Events = readonly ReplyEvent[];

/** Says nothing about the backend: we left. */
const NO_EVIDENCE: Outcome = { kind: "cancelled" };

export interface RecoveryOptions {
  readonly attempts: Attempts;
  readonly request: ReadRequest;
  readonly story: Story;
  readonly cancellation: Cancellation;
  /** Attempts that the whole request may make. */
  readonly maxAttempts: number;
  readonly opened: Opened<OpenReply>;
}

/** How another backend is asked. */
interface Plan {
  readonly how: RecoveryWay;
  readonly begun: BegunReply | undefined;
  readonly seam: Seam;
  readonly before: Usage | undefined;
  willDo(deployment: Model["deployments"][number]): boolean;
}

/**
 * A streamed reply that is brought to its end by other backends if its own lets it down after it was begun: continued from
 * its text where that is safe, or asked for anew, where it is allowed, and sent from where the client's part ends. Either
 * way another reply is read, what the client has is taken off its beginning, and nothing leaves that was not proved to
 * follow. Else the break is told.
 */
export class Recovery {
  readonly #options: RecoveryOptions;
  readonly #sent = new SentReply();
  /** The reply that is handed on. */
  #opened: Opened<OpenReply>;
  #plan: Plan | undefined;
  /** Backends that let this reply down. */
  readonly #broken = new Set<string>();
  #failure: AttemptFailure | undefined;

  constructor(options: RecoveryOptions) {
    this.#options = options;
    this.#opened = options.opened;
  }

  /** The attempt whose outcome is still to be told. */
  get opened(): Opened<OpenReply> {
    return this.#opened;
  }

  /** What all parts that the client has have cost; undefined = no engine said. */
  get usage(): Usage | undefined {
    const { usage, contentEvents } = this.#opened.reply.progress.ledger;
    const before = this.#plan?.before;
    if (before === undefined) return usage;
    const completionTokens = before.completionTokens + (usage?.completionTokens ?? contentEvents);
    return { promptTokens: before.promptTokens, completionTokens };
  }

  /** The reply's events, as one stream. Throws AttemptFailure where it breaks for good. */
  async *events(): Reply {
    let source: Reply = this.#opened.reply.events;
    for (;;) {
      try {
        for await (const batch of source) {
          this.#sent.take(batch);
          yield batch;
        }
        if (this.#plan !== undefined) this.#note({ how: this.#plan.how, outcome: "finished" });
        return;
      } catch (error) {
        source = yield* this.#recover(error);
      }
    }
  }

  /** After a break: the rest of the reply, by whoever can give it; throws the failure where nobody can. */
  async *#recover(error: unknown): AsyncGenerator<Events, Reply> {
    this.#endPart(error);
    const failure = error instanceof TextMismatch ? this.#failure : error;
    if (!(failure instanceof AttemptFailure)) throw error;
    this.#failure = failure;
    if (isRecoverable(failure) && !(error instanceof TextMismatch)) {
      for (const how of ["continuation", "restart"] as const) {
        const rest = yield* this.#try(how);
        if (rest !== undefined) return rest;
        this.#checkCancelled();
      }
    }
    const held = failure.end.how === "denied" ? [] : this.#held();
    if (held.length > 0) yield held;
    throw failure;
  }

  /** The one place where the end of a part that broke is told to its backend. */
  #endPart(error: unknown): void {
    const outcome = error instanceof AttemptFailure ? error.outcome : NO_EVIDENCE;
    this.#endAttempt(this.#opened, outcome);
    if (this.#plan === undefined) return;
    const left = outcome.kind === "client_gone";
    const ended = error instanceof TextMismatch ? "mismatched" : left ? "client_gone" : "broken";
    this.#note({ how: this.#plan.how, outcome: ended });
  }

  #endAttempt({ permit, candidate, records, reply }: Opened<OpenReply>, outcome: Outcome): void {
    const { story } = this.#options;
    permit.end(outcome);
    this.#broken.add(candidate.backend.name);
    const own = records.findLast((one) => one.outcome === "ok" && one.backend === candidate.backend.name);
    const cause = outcome.kind === "failed" ? outcome.cause : undefined;
    const answeredMs = performance.now() - reply.firstTokenAt;
    story.records = story.records.map((one) =>
      one === own ? { ...one, outcome: outcome.kind, cause, ms: one.ms + answeredMs } : one,
    );
  }

  #held(): Events {
    const held = heldBack(this.#opened.reply);
    try {
      return this.#plan === undefined ? held : this.#plan.seam.sew(held);
    } catch {
      // The client is told that the reply broke, and not why it was no longer the same.
      return [];
    }
  }

  #checkCancelled(): void {
    const { cancellation } = this.#options;
    if (!cancellation.aborted) return;
    const end = cancellation.attemptEnd;
    const what = end.how === "timeout" ? "the deadline passed" : "the client left";
    throw new AttemptFailure(end, `${what} before the reply went on`);
  }

  async *#try(how: RecoveryWay): AsyncGenerator<Events, Reply | undefined> {
    const { story, maxAttempts, attempts } = this.#options;
    const plan = this.#planFor(how);
    if (plan === undefined) return undefined;
    const spent = typeof plan === "string" ? plan : story.attempts >= maxAttempts ? "attempts" : undefined;
    const why = spent ?? (attempts.takeRetry() ? undefined : "retry_budget");
    if (why !== undefined || typeof plan === "string") {
      this.#note({ how, outcome: "not_tried", reason: why });
      return undefined;
    }
    const opened = yield* this.#open(plan);
    if (opened === undefined) return undefined;
    const rest = yield* this.#match(plan, opened);
    // The second one broke before it had said what the client has: perhaps a third one.
    return rest === "broken" ? yield* this.#try(how) : rest;
  }

  /** How it is to be done, or why it is not; undefined = the settings do not have it. */
  #planFor(how: RecoveryWay): Plan | string | undefined {
    const { model } = this.#opened;
    if (how === "restart" && model.restartsStreams !== true) return undefined;
    if (how === "continuation" && !model.deployments.some(({ continuesReplies }) => continuesReplies)) return undefined;
    const sent = this.#sent.stretches();
    if (this.#sent.unfit !== undefined) return this.#sent.unfit;
    const { identity } = this.#sent;
    if (how === "continuation") return this.#continuation(sent);
    const seam = new Seam({ identity, expected: new ExpectedText(sent), before: undefined });
    return { how, begun: undefined, seam, before: undefined, willDo: () => true };
  }

  #continuation(sent: ReturnType<SentReply["stretches"]>): Plan | string {
    const { request, attempts } = this.#options;
    const { model, reply } = this.#opened;
    const before = this.#spent();
    const tokens = reply.progress.ledger.usage === undefined ? undefined : before.completionTokens;
    const members = { ...parsed(model.defaults), ...request.body };
    const held = reply.normaliser?.holding === true;
    const unsafe = unsafeToContinue({ members, sent, held, tokens, tellsUsage: request.includeUsage });
    if (unsafe !== undefined) return unsafe;
    const whole = sent.at(-1)!.text;
    const text = withoutSpace(whole);
    const willDo: Plan["willDo"] = (deployment) => continues(deployment, request) && attempts.resumes(deployment, text);
    if (!model.deployments.some(willDo)) return "no_backend";
    const expected = new ExpectedText([{ kind: "content", text: whole.slice(text.length) }]);
    const seam = new Seam({ identity: this.#sent.identity, expected, before });
    return { how: "continuation", begun: { text, tokens: before.completionTokens }, seam, before, willDo };
  }

  /** What the parts so far have cost, this one included. */
  #spent(): Usage {
    const { usage, contentEvents } = this.#opened.reply.progress.ledger;
    return (
      this.usage ?? {
        promptTokens: usage?.promptTokens ?? this.#options.story.promptTokens,
        completionTokens: contentEvents,
      }
    );
  }

  /** Another reply, its first content in hand; undefined = nobody gave one. */
  async *#open(plan: Plan): AsyncGenerator<Events, Opened<OpenReply> | undefined> {
    const { attempts, story, cancellation, maxAttempts } = this.#options;
    const { model } = this.#opened;
    const opening = attemptLoop<OpenReply>(
      { chain: [model], attempts: maxAttempts - story.attempts, signal: cancellation },
      {
        now: () => attempts.now(),
        random: () => attempts.random(),
        sleep: (ms) => attempts.sleep(ms),
        startTimer: (ms, ring) => attempts.startTimer(ms, ring),
        takeRetry: () => attempts.takeRetry(),
        giveBackRetry: () => attempts.giveBackRetry(),
        retryInMs: () => attempts.retryInMs(),
        choose: (one) => narrowed(attempts.choose(one), plan.willDo, this.#broken),
        open: (candidate, one, permit) => attempts.open(candidate, one, permit, plan.begun),
        openRival: (candidate, one, permit) => attempts.openRival(candidate, one, permit),
        hedgeAfterMs: () => undefined,
      },
    );
    let left = true;
    try {
      const opened = yield* keepAlive(opening);
      left = false;
      this.#count(opened);
      opened.permit.alive(performance.now());
      return opened;
    } catch (error) {
      left = false;
      if (!(error instanceof AllAttemptsFailed)) throw error;
      this.#count(error);
      if (error.attempts === 0) attempts.giveBackRetry();
      const outcome = cancellation.aborted ? "client_gone" : "refused";
      this.#note({ how: plan.how, outcome, reason: error.attempts === 0 ? "no_backend" : error.error.code });
      return undefined;
    } finally {
      if (left) opening.then(leave, () => {});
    }
  }

  #count({ records, attempts }: Pick<Opened<OpenReply>, "records" | "attempts">): void {
    const { story } = this.#options;
    story.records = [...story.records, ...records];
    story.attempts += attempts;
  }

  /** The rest of a reply from where the client's part ends; undefined = it is another reply. */
  async *#match(plan: Plan, opened: Opened<OpenReply>): AsyncGenerator<Events, Reply | "broken" | undefined> {
    const { how, seam } = plan;
    const backend = opened.candidate.backend.name;
    const iterator = opened.reply.events[Symbol.asyncIterator]();
    let outcome: Outcome = NO_EVIDENCE;
    let ours = false;
    try {
      const first = yield* keepAlive(firstFresh(iterator, seam));
      ours = true;
      this.#opened = opened;
      this.#plan = plan;
      return sewn(iterator, seam, [ReplyEvent.ofComment(`the reply continues on ${backend}`), ...first]);
    } catch (error) {
      if (error instanceof TextMismatch) {
        this.#note({ how, outcome: "mismatched", reason: error.message, backend });
        return undefined;
      }
      if (!(error instanceof AttemptFailure)) throw error;
      outcome = error.outcome;
      this.#note({ how, outcome: outcome.kind === "client_gone" ? "client_gone" : "broken", backend });
      return isRecoverable(error) ? "broken" : undefined;
    } finally {
      if (!ours) {
        this.#endAttempt(opened, outcome);
        void iterator.return?.();
      }
    }
  }

  #note(note: RecoveryNote): void {
    const { story } = this.#options;
    story.trace?.recover();
    story.recoveries = [...(story.recoveries ?? []), { backend: this.#opened.candidate.backend.name, ...note }];
  }
}

/** Reads until something comes that the client does not have. */
async function firstFresh(iterator: AsyncIterator<Events>, seam: Seam): Promise<Events> {
  for (;;) {
    const step = await iterator.next();
    if (step.done) throw new TextMismatch("nothing new came");
    const events = seam.sew(step.value);
    if (seam.complete && events.length > 0) return events;
  }
}

async function* sewn(iterator: AsyncIterator<Events>, seam: Seam, first: Events): Reply {
  try {
    yield first;
    for (;;) {
      const step = await iterator.next();
      if (step.done) return;
      const events = seam.sew(step.value);
      if (events.length > 0) yield events;
    }
  } finally {
    await iterator.return?.();
  }
}

/** Lets a reply go that nobody will read: a generator's own end runs only if it was begun. */
async function leave({ reply, permit }: Opened<OpenReply>): Promise<void> {
  permit.end(NO_EVIDENCE);
  const iterator = reply.events[Symbol.asyncIterator]();
  await iterator.next();
  await iterator.return?.();
}

function parsed(defaults: Model["defaults"]): Record<string, unknown> {
  return Object.fromEntries(Object.entries(defaults).map(([name, json]) => [name, JSON.parse(json) as unknown]));
}
