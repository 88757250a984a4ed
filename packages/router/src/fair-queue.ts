import { ServiceShares } from "./service-shares.ts";

/** How urgent a request is, the most urgent first. */
export const priorities = ["interactive", "standard", "batch"] as const;
export type Priority = (typeof priorities)[number];

/** Shares of what is served while all of them wait: batch keeps at least one part in 21. */
export const priorityWeights: Readonly<Record<Priority, number>> = { interactive: 16, standard: 4, batch: 1 };

/** Who waits, and for what share. */
export interface Claimant {
  readonly team: string;
  /** The team's share among those of its priority; above 0. */
  readonly weight: number;
  readonly priority: Priority;
}

/** One that is to wait. */
export interface Waiting<T> extends Claimant {
  /** What its service costs, in any unit that is the same for all; above 0. */
  readonly cost: number;
  /** When it is to be turned away, by the clock of `expire`. */
  readonly deadline: number;
  readonly value: T;
}

/** What is served: waiters of any number of lanes come to it. It keeps who had how much of it. */
export class Place<T, L> {
  readonly flows = new Set<Flow<T, L>>();
  readonly priorityShares = new ServiceShares<Priority>();
  readonly teamShares: Readonly<Record<Priority, ServiceShares<string>>> = {
    interactive: new ServiceShares(),
    standard: new ServiceShares(),
    batch: new ServiceShares(),
  };
}

/** The places at which a waiter may be served. Waiters with the same places share one. */
export class Lane<T, L> {
  readonly places: readonly Place<T, L>[];
  /** Whatever the caller wants to know it by. */
  readonly tag: L;
  readonly flows = new Map<string, Flow<T, L>>();

  constructor(places: readonly Place<T, L>[], tag: L) {
    this.places = places;
    this.tag = tag;
  }
}

/** The waiters of one team, one priority and one lane, first come first served. */
class Flow<T, L> {
  readonly lane: Lane<T, L>;
  readonly team: string;
  readonly priority: Priority;
  weight: number;
  head: Waiter<T, L> | undefined;
  tail: Waiter<T, L> | undefined;
  count = 0;

  constructor(lane: Lane<T, L>, { team, priority, weight }: Claimant) {
    this.lane = lane;
    this.team = team;
    this.priority = priority;
    this.weight = weight;
  }
}

/** One that waits; it leaves the queue once, whatever comes first. */
export class Waiter<T, L> {
  readonly value: T;
  readonly cost: number;
  readonly deadline: number;
  /** The order in which they came. */
  readonly turn: number;
  readonly flow: Flow<T, L>;
  queued = false;
  ahead: Waiter<T, L> | undefined;
  behind: Waiter<T, L> | undefined;
  /** Neighbours by deadline. */
  sooner: Waiter<T, L> | undefined;
  later: Waiter<T, L> | undefined;

  constructor(flow: Flow<T, L>, turn: number, { value, cost, deadline }: Waiting<T>) {
    this.flow = flow;
    this.turn = turn;
    this.value = value;
    this.cost = cost;
    this.deadline = deadline;
  }

  get claimant(): Claimant {
    return this.flow;
  }
}

/** What became of one that wanted to wait. */
export interface Added<T, L> {
  /** Undefined = it may not wait: the queue is full, and nobody waits with more of a backlog than its own team. */
  readonly waiter: Waiter<T, L> | undefined;
  /** Who had to leave for it. */
  readonly evicted: Waiter<T, L> | undefined;
}

/** How many are served before one that comes now. */
export interface Position {
  readonly before: number;
  /** Of its own team and priority; without them fewer of the others would be before it, too. */
  readonly own: number;
}

interface Backlog<T, L> {
  waiting: number;
  weight: number;
  readonly flows: Set<Flow<T, L>>;
}

/**
 * A bounded queue with fair shares: at each place start-time fair queuing first among the priorities, then among the teams
 * of a priority, by weight and cost; a team's own requests go first come first served. A team that had nothing waiting is
 * behind nobody's backlog: at most the service under way is before it, and the first requests of others like it.
 *
 * Adding and removing take O(1), taking and the rest O(teams that wait). It has no clock and no timer.
 */
export class FairQueue<T, L = undefined> {
  maxWaiting: number;
  /** Waiting now. */
  size = 0;
  /** The same by priority. */
  readonly waiting: Record<Priority, number> = { interactive: 0, standard: 0, batch: 0 };
  #turns = 0;
  #soonest: Waiter<T, L> | undefined;
  #latest: Waiter<T, L> | undefined;
  readonly #backlogs = new Map<string, Backlog<T, L>>();

  constructor(maxWaiting: number) {
    this.maxWaiting = maxWaiting;
  }

  /** When the queue is full, the newest of the team with the largest backlog for its weight must leave: perhaps this one. */
  add(lane: Lane<T, L>, waiting: Waiting<T>): Added<T, L> {
    let evicted: Waiter<T, L> | undefined;
    if (this.size >= this.maxWaiting) {
      evicted = this.#newestOfLargest(waiting);
      if (evicted === undefined) return { waiter: undefined, evicted };
      this.remove(evicted);
    }
    const waiter = new Waiter(this.#flowOf(lane, waiting), this.#turns++, waiting);
    this.#link(waiter, waiter.flow.tail);
    return { waiter, evicted };
  }

  /** Before all others of its team and priority in its lane: for one that was taken and could not be served. */
  putBack(waiter: Waiter<T, L>): Waiter<T, L> {
    const { value, cost, deadline, turn } = waiter;
    const flow = this.#flowOf(waiter.flow.lane, waiter.flow);
    const back = new Waiter(flow, turn, { ...waiter.claimant, value, cost, deadline });
    this.#link(back, undefined);
    return back;
  }

  /** Whose turn it is at a place, taken out and charged; undefined = nobody waits for it, or nobody who may be taken. */
  take(place: Place<T, L>, mayTake: (lane: L, claimant: Claimant) => boolean = anyone): Waiter<T, L> | undefined {
    let best: Flow<T, L> | undefined;
    let bestClass = 0;
    let bestTeam = 0;
    for (const flow of place.flows) {
      const ofClass = place.priorityShares.startOf(flow.priority);
      if (best !== undefined && (ofClass > bestClass || (ofClass === bestClass && isLower(flow, best)))) continue;
      const ofTeam = place.teamShares[flow.priority].startOf(flow.team);
      if (best !== undefined && ofClass === bestClass && flow.priority === best.priority) {
        if (ofTeam > bestTeam || (ofTeam === bestTeam && flow.head!.turn > best.head!.turn)) continue;
      }
      if (!mayTake(flow.lane.tag, flow)) continue;
      best = flow;
      bestClass = ofClass;
      bestTeam = ofTeam;
    }
    if (best === undefined) return undefined;
    const waiter = best.head!;
    place.priorityShares.serve(best.priority, waiter.cost, priorityWeights[best.priority]);
    place.teamShares[best.priority].serve(best.team, waiter.cost, best.weight);
    this.remove(waiter);
    return waiter;
  }

  /** Takes one out, wherever it stands. False = it was not there any more. */
  remove(waiter: Waiter<T, L>): boolean {
    if (!waiter.queued) return false;
    waiter.queued = false;
    const { flow, ahead, behind, sooner, later } = waiter;
    if (ahead === undefined) flow.head = behind;
    else ahead.behind = behind;
    if (behind === undefined) flow.tail = ahead;
    else behind.ahead = ahead;
    if (sooner === undefined) this.#soonest = later;
    else sooner.later = later;
    if (later === undefined) this.#latest = sooner;
    else later.sooner = sooner;
    this.#count(flow, -1);
    return true;
  }

  /** The earliest deadline; undefined = nobody waits. */
  get nextDeadline(): number | undefined {
    return this.#soonest?.deadline;
  }

  /** Takes out one whose deadline has come; undefined = there is none. Infinity takes out anyone. */
  expire(now: number): Waiter<T, L> | undefined {
    const waiter = this.#soonest;
    if (waiter === undefined || waiter.deadline > now) return undefined;
    this.remove(waiter);
    return waiter;
  }

  /** Requests of a team that wait. */
  backlogOf(team: string): number {
    return this.#backlogs.get(team)?.waiting ?? 0;
  }

  /** One of those who wait in a lane, taken out and not charged; undefined = there is none. */
  takeFrom(lane: Lane<T, L>): Waiter<T, L> | undefined {
    for (const { head } of lane.flows.values()) {
      if (head === undefined) continue;
      this.remove(head);
      return head;
    }
    return undefined;
  }

  /**
   * How many will have been served before one that comes now, as far as costs are alike and nobody else comes. `alone`: as
   * if nothing of its own team and priority waited.
   */
  positionOf(lane: Lane<T, L>, { team, weight, priority }: Claimant, alone = false): Position {
    const counts = new Map<string, { count: number; readonly flow: Flow<T, L> }>();
    for (const flow of flowsAt(lane)) {
      const key = keyOf(flow);
      const known = counts.get(key);
      if (known === undefined) counts.set(key, { count: flow.count, flow });
      else known.count += flow.count;
    }
    const own = alone ? 0 : (counts.get(keyOf({ team, priority }))?.count ?? 0);
    let before = own;
    const others: Record<Priority, number> = { interactive: 0, standard: 0, batch: 0 };
    for (const { count, flow } of counts.values()) {
      if (flow.priority !== priority) others[flow.priority] += count;
      else if (flow.team !== team) before += Math.min(count, Math.ceil(((own + 1) * flow.weight) / weight));
    }
    const inClass = before + 1;
    for (const other of priorities)
      before += Math.min(others[other], Math.floor((inClass * priorityWeights[other]) / priorityWeights[priority]));
    return { before, own };
  }

  #flowOf(lane: Lane<T, L>, claimant: Claimant): Flow<T, L> {
    const key = keyOf(claimant);
    let flow = lane.flows.get(key);
    if (flow === undefined) {
      flow = new Flow<T, L>(lane, claimant);
      lane.flows.set(key, flow);
      for (const place of lane.places) place.flows.add(flow);
    }
    flow.weight = claimant.weight;
    return flow;
  }

  /** Puts one into its flow behind another one (undefined = at the head), and among the deadlines. */
  #link(waiter: Waiter<T, L>, ahead: Waiter<T, L> | undefined): void {
    const { flow } = waiter;
    waiter.queued = true;
    waiter.ahead = ahead;
    waiter.behind = ahead === undefined ? flow.head : ahead.behind;
    if (waiter.ahead === undefined) flow.head = waiter;
    else waiter.ahead.behind = waiter;
    if (waiter.behind === undefined) flow.tail = waiter;
    else waiter.behind.ahead = waiter;
    // Nearly always the latest: all wait equally long, unless a config has changed.
    let sooner = this.#latest;
    while (sooner !== undefined && sooner.deadline > waiter.deadline) sooner = sooner.sooner;
    waiter.sooner = sooner;
    waiter.later = sooner === undefined ? this.#soonest : sooner.later;
    if (sooner === undefined) this.#soonest = waiter;
    else sooner.later = waiter;
    if (waiter.later === undefined) this.#latest = waiter;
    else waiter.later.sooner = waiter;
    this.#count(flow, 1);
  }

  #count(flow: Flow<T, L>, change: 1 | -1): void {
    this.size += change;
    this.waiting[flow.priority] += change;
    flow.count += change;
    let backlog = this.#backlogs.get(flow.team);
    if (backlog === undefined) {
      backlog = { waiting: 0, weight: flow.weight, flows: new Set() };
      this.#backlogs.set(flow.team, backlog);
    }
    backlog.waiting += change;
    backlog.weight = flow.weight;
    if (flow.count > 0) {
      backlog.flows.add(flow);
      return;
    }
    backlog.flows.delete(flow);
    flow.lane.flows.delete(keyOf(flow));
    for (const place of flow.lane.places) place.flows.delete(flow);
    if (backlog.waiting === 0) this.#backlogs.delete(flow.team);
  }

  /** Undefined = a newcomer's team would have as large a backlog as anybody. */
  #newestOfLargest({ team, weight }: Claimant): Waiter<T, L> | undefined {
    let largest: Backlog<T, L> | undefined;
    for (const [name, backlog] of this.#backlogs) {
      if (name === team) continue;
      if (largest === undefined || backlog.waiting / backlog.weight > largest.waiting / largest.weight)
        largest = backlog;
    }
    if (largest === undefined || (this.backlogOf(team) + 1) / weight >= largest.waiting / largest.weight)
      return undefined;
    let newest: Waiter<T, L> | undefined;
    for (const { tail } of largest.flows) if (newest === undefined || tail!.turn > newest.turn) newest = tail;
    return newest;
  }
}

const anyone = (): boolean => true;

/** The same for one team and priority in all lanes. */
function keyOf({ team, priority }: Pick<Claimant, "team" | "priority">): string {
  return `${priority} ${team}`;
}

function isLower(one: Claimant, other: Claimant): boolean {
  return priorities.indexOf(one.priority) > priorities.indexOf(other.priority);
}

/** Everybody who waits for one of a lane's places. */
function flowsAt<T, L>(lane: Lane<T, L>): Set<Flow<T, L>> {
  const [first, ...others] = lane.places;
  if (first === undefined || others.length === 0) return first?.flows ?? new Set();
  const all = new Set(first.flows);
  for (const { flows } of others) for (const flow of flows) all.add(flow);
  return all;
}
