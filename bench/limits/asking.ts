import { judge } from "../lab/judge.ts";
import { type Heard, Lane, play } from "../lab/lane.ts";
import { type Plan, planOf } from "../lab/plan.ts";
import { chatBody, keyOf, type ModelName, reservedFor, rulesOf, type TrafficTeam, usedBy, type Wish } from "./teams.ts";
import type { Ask } from "./trace.ts";

/** A connection that was idle for longer may be one that the gateway is just closing. */
const FRESH_MS = 2000;
/** Bytes of a stream that leave an engine in one write: two tokens or three. */
const PIECE_BYTES = 600;

/** What became of a request, beside what the judges read. */
export interface Asked extends Ask {
  readonly replica: number;
  /** Neither an answer nor a refusal: what it was. */
  readonly failure?: string;
  /** The client left before anybody decided, for all that can be seen. */
  readonly unseen: boolean;
}

/** What is decided of a request before it is sent. */
export interface Question {
  readonly team: TrafficTeam;
  readonly key: number;
  readonly model: ModelName;
  readonly wish: Wish;
}

/** The clients of one replica; each keeps its connection for the next one. */
class Clients {
  readonly #port: number;
  readonly #idle: { readonly lane: Lane; readonly since: number }[] = [];

  constructor(port: number) {
    this.#port = port;
  }

  take(): Lane {
    const last = this.#idle.pop();
    if (last === undefined) return new Lane(this.#port);
    if (performance.now() - last.since < FRESH_MS) return last.lane;
    last.lane.leave();
    return this.take();
  }

  giveBack(lane: Lane): void {
    this.#idle.push({ lane, since: performance.now() });
  }

  leave(): void {
    for (const { lane } of this.#idle.splice(0)) lane.leave();
  }
}

/** Asks, and keeps the record of all that was asked. */
export class Asking {
  readonly #asked: Asked[] = [];
  readonly #clients: readonly Clients[];
  readonly #plans: Map<number, Plan>;
  readonly #under = new Set<Promise<unknown>>();
  #next = 0;

  /** `plans` is where the engines find what a request is to meet. */
  constructor(ports: readonly number[], plans: Map<number, Plan>) {
    this.#clients = ports.map((port) => new Clients(port));
    this.#plans = plans;
  }

  /** Asks one of the replicas; resolves with what became of it. */
  ask(question: Question, replica: number): Promise<Asked> {
    const asked = this.#ask(question, replica);
    this.#under.add(asked);
    void asked.finally(() => this.#under.delete(asked));
    return asked;
  }

  /** Resolves when nothing is under way, with all that was asked. */
  async end(): Promise<readonly Asked[]> {
    await Promise.all(this.#under);
    for (const clients of this.#clients) clients.leave();
    return withExpectedEnds(this.#asked);
  }

  async #ask(question: Question, replica: number): Promise<Asked> {
    const { team, key, model, wish } = question;
    const number = this.#next++;
    const plan = planOf({
      number,
      ...wish,
      pieceBytes: wish.stream ? PIECE_BYTES : Number.POSITIVE_INFINITY,
    });
    this.#plans.set(number, plan);
    const clients = this.#clients[replica]!;
    const lane = clients.take();
    const request = requestOf(chatBody(number, model, wish), keyOf(team.name, key));
    const sentAt = performance.now();
    const heard = await play(lane, plan, request);
    clients.giveBack(lane);
    this.#plans.delete(number);
    const asked = recordOf(question, plan, heard, sentAt, replica);
    this.#asked.push(asked);
    return asked;
  }
}

function requestOf(body: string, key: string): Buffer {
  return Buffer.from(
    `POST /v1/chat/completions HTTP/1.1\r\nhost: limits\r\nauthorization: Bearer ${key}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  );
}

function recordOf(
  { team, key, model, wish }: Question,
  plan: Plan,
  heard: Heard,
  sentAt: number,
  replica: number,
): Asked {
  const [visit] = plan.visits;
  const heardAt = sentAt + heard.ms;
  const admitted = visit !== undefined;
  const left = heard.end === "left";
  const tokens = left ? (wish.leaveAfter ?? 0) : wish.tokens;
  const waitMs = retryAfterOf(heard);
  const failure = failureOf(plan, heard);
  return {
    team: team.name,
    rules: rulesOf(team, key, model),
    replica,
    sentAt,
    decidedBy: visit?.at ?? heardAt,
    endedAt: Math.min(visit?.endedAt ?? heardAt, heardAt),
    overBy: heardAt,
    admitted,
    unseen: left && !admitted,
    reserved: reservedFor(wish),
    used: usedBy(tokens),
    ...(waitMs !== undefined && { retryAfterMs: waitMs }),
    ...(failure !== undefined && { failure }),
  };
}

function retryAfterOf({ status, head }: Heard): number | undefined {
  const found = status === 429 ? /\r\nretry-after: (\d+)/i.exec(head) : null;
  return found === null ? undefined : Number(found[1]) * 1000;
}

/** An answer that is no answer; a refusal with 429 is one, and a client that leaves wants none. */
function failureOf(plan: Plan, heard: Heard): string | undefined {
  if (heard.status === 429 || heard.end === "left") return undefined;
  const { end, code, wrong } = judge(plan, heard);
  if (wrong !== undefined) return wrong;
  return end === "ok" ? undefined : `${heard.status} ${code}`;
}

/** What was refused would have been under way for as long as its team's requests are on average. */
function withExpectedEnds(asked: readonly Asked[]): readonly Asked[] {
  const held = new Map<string, { sum: number; count: number }>();
  for (const { team, admitted, decidedBy, overBy } of asked) {
    if (!admitted) continue;
    const { sum, count } = held.get(team) ?? { sum: 0, count: 0 };
    held.set(team, { sum: sum + overBy - decidedBy, count: count + 1 });
  }
  return asked.map((one) => {
    const { sum, count } = held.get(one.team) ?? { sum: 0, count: 1 };
    return one.admitted ? one : { ...one, overBy: one.decidedBy + sum / count };
  });
}
