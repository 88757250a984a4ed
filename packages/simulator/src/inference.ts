import { type Answer, composeAnswers } from "./answer.ts";
import { addUsage, createRestamp, deliverFrames, type Pace, renderFrames } from "./delivery.ts";
import { embedInput } from "./embedding-vectors.ts";
import type { Engine } from "./engine.ts";
import type { ActiveStrike } from "./fault-board.ts";
import type { Exchange } from "./http-server.ts";
import type { Endpoint, InferenceRequest, Reply, ResponseHead, Turn } from "./kind.ts";
import { createChunkedOutlet, type Outlet } from "./outlet.ts";
import { randomAlnum, randomHex } from "./random.ts";
import { sendReply } from "./reply.ts";
import type { LogEntry } from "./request-log.ts";
import { begunText, messagesOf, readInferenceRequest } from "./request-view.ts";
import type { ScriptReply } from "./script.ts";
import { playScripted } from "./scripted-reply.ts";

const MAX_CACHED_ANSWERS = 256;

/** What belongs to one inference request on its way. */
interface Job {
  readonly engine: Engine;
  readonly exchange: Exchange;
  readonly entry: LogEntry;
  readonly strike: ActiveStrike | undefined;
  readonly request: InferenceRequest;
  /** One of the store's models; undefined where a script answers for a model that is not there. */
  readonly model: string | undefined;
  /** The name in the answer. */
  readonly answerName: string;
  readonly script: ScriptReply | undefined;
}

/** Answers an inference request as the engine would, through its queue and at its pace. */
export async function serveInference(
  engine: Engine,
  exchange: Exchange,
  entry: LogEntry,
  endpoint: Endpoint,
  strike: ActiveStrike | undefined,
): Promise<void> {
  const { kind, state } = engine;
  const refuse = (reply: Reply): void => sendReply(engine, exchange, entry, reply);
  if (kind.habits.loading === "unavailable" && !state.models.isLoaded(state.models.names[0] ?? "")) {
    return refuse(kind.errors.loading(state.models.names[0] ?? ""));
  }
  const text = exchange.request.body.toString();
  const body = parseObject(text);
  if (body === undefined) return refuse(kind.errors.malformedJson(text));
  const request = readInferenceRequest(endpoint, exchange.request, body);
  entry.model = request.model;
  entry.stream = request.stream;
  const begun = begunText(body, kind.habits.continues) === undefined ? 0 : 1;
  const turn = messagesOf(body).filter((message) => message.role === "assistant").length - begun;
  const { model: asked, prompt, stream } = request;
  const script = engine.script({ model: asked, prompt, stream, turn, endpoint });
  const refusal = script === undefined ? refusalOf(engine, request) : undefined;
  if (refusal !== undefined) return refuse(refusal);
  const model = kind.resolveModel(state, asked);
  const answerName = model === undefined ? asked : (kind.answerName?.(model, asked) ?? model);
  const job: Job = { engine, exchange, entry, strike, request, model, answerName, script };
  if (script !== undefined && (await playScripted(engine, exchange, entry, script))) return;
  if (!(await ready(job))) return;
  enqueue(job);
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

function refusalOf(engine: Engine, request: InferenceRequest): Reply | undefined {
  const { kind, state } = engine;
  const refusal = kind.refuse(state, request);
  if (refusal !== undefined) return refusal;
  if (kind.resolveModel(state, request.model) === undefined) return kind.errors.unknownModel(state, request.model);
  return request.endpoint === "embeddings" ? undefined : kind.tooLong(state, request);
}

/** Waits for the model where the kind loads on request; false = the request was answered otherwise or the client left. */
async function ready(job: Job): Promise<boolean> {
  const { engine, exchange, model: name } = job;
  const { kind, state } = engine;
  if (name === undefined || state.models.isLoaded(name)) return true;
  if (kind.habits.loading === "explicit") {
    sendReply(engine, exchange, job.entry, kind.errors.loading(name));
    return false;
  }
  if (kind.habits.loading !== "on_first_request") return true;
  const queue = state.options.queue ?? kind.defaultQueue;
  if (state.models.waiting(name) > queue) {
    sendReply(engine, exchange, job.entry, kind.errors.overloaded(job.request));
    return false;
  }
  try {
    await state.models.load(name, (giveUp) => exchange.onAbort(giveUp));
    return true;
  } catch {
    return false;
  }
}

function enqueue(job: Job): void {
  const { engine, exchange, request } = job;
  const streamed = request.stream ? openStream(job) : undefined;
  let stop: (() => void) | undefined;
  const ticket = engine.admission.enter(({ leave }) => {
    engine.log.stats.peakRunning = Math.max(engine.log.stats.peakRunning, engine.admission.running());
    if (exchange.aborted) return;
    stop = streamed === undefined ? answerWhole(job, leave) : answerStream(job, streamed, leave);
  });
  if (ticket === false) {
    sendReply(engine, exchange, job.entry, engine.kind.errors.overloaded(request));
    return;
  }
  if (!ticket.started) streamed?.queued();
  exchange.onSettled(() => {
    stop?.();
    ticket.leave();
  });
}

interface OpenStream {
  /** The request waits: kinds that answer early send their headers now. */
  queued(): void;
  /** The outlet with its head sent. */
  outlet(): Outlet;
}

function openStream(job: Job): OpenStream {
  const { engine, exchange, strike } = job;
  const { kind } = engine;
  let opened: Outlet | undefined;
  const open = (): Outlet => {
    if (opened !== undefined) return opened;
    job.entry.status = 200;
    const plain: ResponseHead = { status: 200, contentType: kind.streamType, length: undefined, close: exchange.close };
    const head = strike?.fault.head?.(strike.strike, plain) ?? plain;
    const headText = kind.head(head);
    const inner = createChunkedOutlet(exchange, headText);
    opened = strike?.fault.stream?.(strike.strike, inner, headText) ?? inner;
    opened.begin();
    return opened;
  };
  return {
    queued: () => {
      if (kind.habits.queuedHeaders === "at_once") open().flush();
    },
    outlet: open,
  };
}

function answersFor(job: Job): readonly Answer[] {
  const { engine, request, model, answerName, script } = job;
  const served = model ?? answerName;
  const { seed, toolParser } = engine.state.options;
  const options = { kind: engine.kind, model: answerName, served, seed, parsesCalls: toolParser };
  if (script !== undefined) return composeAnswers(request, options, script);
  const key =
    request.http.body.length > 16_384 ? undefined : `${request.endpoint}${request.http.body.toString("latin1")}`;
  const known = key === undefined ? undefined : engine.answers.get(key);
  if (known !== undefined) return known;
  const made = composeAnswers(request, options, undefined);
  if (key !== undefined) {
    if (engine.answers.size >= MAX_CACHED_ANSWERS) engine.answers.clear();
    engine.answers.set(key, made);
  }
  return made;
}

function paceOf(engine: Engine, script: ScriptReply | undefined): Pace {
  const { tokensPerSecond, firstTokenMs } = engine.state.options;
  const msPerToken = tokensPerSecond === 0 ? 0 : 1000 / tokensPerSecond;
  const opensEarly = engine.kind.habits.queuedHeaders === "at_slot";
  return { firstTokenMs: firstTokenMs + (script?.delay_ms ?? 0), msPerToken, opensEarly };
}

function turnOf(job: Job, answers: readonly Answer[], pace: Pace): Turn {
  const { engine, request } = job;
  const { state, random } = engine;
  const cutsPrompt = engine.kind.tooLong(state, request) === undefined;
  const promptTokens = cutsPrompt ? Math.min(request.promptTokens, state.context) : request.promptTokens;
  const completionTokens = answers.reduce((sum, answer) => sum + answer.tokens, 0);
  state.totals.promptTokens += promptTokens;
  state.totals.requests += 1;
  return {
    hex: randomHex(random, 32),
    alnum: randomAlnum(random, 32),
    number: Math.floor(random() * 999),
    created: Math.floor(Date.now() / 1000),
    model: job.answerName,
    choices: answers,
    promptTokens,
    completionTokens,
    includeUsage: request.includeUsage,
    requestId: request.http.headers["x-request-id"],
    firstTokenMs: pace.firstTokenMs,
    msPerToken: pace.msPerToken,
  };
}

function countTokens(job: Job, count: number): void {
  job.entry.tokensSent += count;
  job.engine.log.stats.tokensSent += count;
  job.engine.state.totals.generatedTokens += count;
}

function answerStream(job: Job, streamed: OpenStream, leave: () => void): () => void {
  const { engine, exchange, request } = job;
  const { kind } = engine;
  const answers = answersFor(job);
  const pace = paceOf(engine, job.script);
  const turn = turnOf(job, answers, pace);
  const wire = request.endpoint === "chat" ? kind.chatStream(turn) : kind.completionStream(turn);
  const outlet = streamed.outlet();
  const restamp = kind.habits.stampsChunks ? createRestamp(turn) : undefined;
  const frames = renderFrames(wire, answers);
  const counted = request.continuousUsage && request.endpoint === "chat";
  if (counted && kind.usageSoFar !== undefined) addUsage(frames, (tokens) => kind.usageSoFar!(turn, tokens));
  return deliverFrames(frames, outlet, pace, restamp, {
    tokens: (count) => countTokens(job, count),
    writable: () => exchange.writable,
    ended: leave,
  });
}

function answerWhole(job: Job, leave: () => void): () => void {
  const { engine, exchange, request, strike } = job;
  const { kind, state } = engine;
  const pace = paceOf(engine, job.script);
  const answers = request.endpoint === "embeddings" ? [] : answersFor(job);
  const tokens = answers.reduce((sum, answer) => Math.max(sum, answer.tokens), 0);
  const send = (): void => {
    const body = wholeBody(job, answers, pace);
    job.entry.status = 200;
    const plain: ResponseHead = {
      status: 200,
      contentType: "application/json",
      length: Buffer.byteLength(body),
      close: exchange.close,
      extra: kind.answerHeaders?.(state, request),
    };
    const head = strike?.fault.head?.(strike.strike, plain) ?? plain;
    countTokens(
      job,
      answers.reduce((sum, answer) => sum + answer.tokens, 0),
    );
    leave();
    if (strike?.fault.whole !== undefined) strike.fault.whole(strike.strike, head, body);
    else exchange.send(kind.head(head), body);
  };
  const wait = pace.firstTokenMs + tokens * pace.msPerToken;
  if (wait === 0) {
    send();
    return () => {};
  }
  const timer = setTimeout(send, wait);
  return () => clearTimeout(timer);
}

function wholeBody(job: Job, answers: readonly Answer[], pace: Pace): string {
  const { engine, request } = job;
  const { kind, state } = engine;
  if (request.endpoint === "embeddings") {
    return kind.embeddings(job.answerName, embedInput(request.body, state.options.seed), request.promptTokens);
  }
  const turn = turnOf(job, answers, pace);
  return request.endpoint === "chat" ? kind.chat(turn) : kind.completion(turn);
}
