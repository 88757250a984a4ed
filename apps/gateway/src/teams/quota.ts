import type { BudgetMeter, Config, Limits, Team } from "../config/config.ts";
import type { Caller } from "./keys.ts";

/** What is counted. `tokens` are those of prompt and reply together; `concurrent` are requests under way. */
export type Meter = "requests" | "tokens" | "input_tokens" | "output_tokens" | "concurrent" | "cost" | "gpu_seconds";

/** For how long a thing counts: in any window of `ms`, from the start of a UTC calendar period on, or while it is under way. */
export type Span =
  | { readonly kind: "window"; readonly ms: number }
  | { readonly kind: "period"; readonly every: "day" | "week" | "month" }
  | { readonly kind: "held" };

/** One thing that a request is counted against. Immutable. */
export interface Quota {
  /** The same in every replica and after every reload, e.g. `team:payments|tokens|60s`. */
  readonly id: string;
  /** Whose it is, for messages: `team payments`, `key k1 of team payments`, `model large`, `team payments on model large`. */
  readonly scope: string;
  readonly meter: Meter;
  /** A whole number of at least 1: requests, tokens or slots; of cost 1e-9 of the currency, of gpu_seconds milliseconds. */
  readonly limit: number;
  readonly span: Span;
}

/** A budget. */
export interface BudgetQuota extends Quota {
  readonly meter: BudgetMeter;
  readonly span: Extract<Span, { kind: "period" }>;
}

/** Finds what the requests of a caller to a model are counted against. */
export interface QuotaIndex {
  /** The same list for every request of a caller to a model; empty = nothing is limited. */
  quotasOf(caller: Caller, model: string): readonly Quota[];
}

// Keys may come and go without a reload: a list of many that are gone is not kept for ever.
const MAX_LISTS = 10_000;

/** Builds the lists of one config as they are asked for: two look-ups a request once a list is there. */
export function createQuotaIndex({ modelLimits }: Pick<Config, "modelLimits">): QuotaIndex {
  const lists = new Map<string, Map<string, readonly Quota[]>>();

  function build({ team, key }: Caller, model: string): readonly Quota[] {
    const { limits, name } = team;
    const shared = modelLimits.get(model);
    const onModel = limits.perModel?.get(model);
    return Object.freeze([
      ...limitQuotas(team),
      ...budgetQuotas(team),
      ...(limits.perKey === undefined ? [] : quotasFor(`team:${name}/key:${key}`, keyScope(key, name), limits.perKey)),
      ...(onModel === undefined
        ? []
        : quotasFor(`team:${name}/model:${model}`, `team ${name} on model ${model}`, onModel)),
      ...(shared === undefined ? [] : quotasFor(`model:${model}`, `model ${model}`, shared)),
    ]);
  }

  return {
    quotasOf(caller, model) {
      const { team, key } = caller;
      // Keys of a team without limits of their own share its lists; no team's name holds a slash.
      const who = team.limits.perKey === undefined ? team.name : `${team.name}/${key}`;
      let byModel = lists.get(who);
      if (byModel === undefined) {
        if (lists.size >= MAX_LISTS) lists.clear();
        byModel = new Map();
        lists.set(who, byModel);
      }
      let list = byModel.get(model);
      if (list === undefined) {
        list = build(caller, model);
        byModel.set(model, list);
      }
      return list;
    },
  };
}

/** A team's budgets, as what its requests are counted against. */
export function budgetQuotas({ name, budgets = [] }: Team): readonly BudgetQuota[] {
  return budgets.map(({ meter, every, limit }) => {
    const id = `team:${name}|${meter}|${every}`;
    return Object.freeze({ id, scope: `team ${name}`, meter, limit, span: Object.freeze({ kind: "period", every }) });
  });
}

/** A team's own limits, those of its keys and of single models apart. */
export function limitQuotas({ name, limits }: Team): readonly Quota[] {
  return quotasFor(`team:${name}`, `team ${name}`, limits);
}

const keyScope = (key: string, team: string): string => `key ${key} of team ${team}`;

function quotasFor(owner: string, scope: string, limits: Limits): Quota[] {
  const rates = [
    ["requests", limits.requests],
    ["tokens", limits.tokens],
    ["input_tokens", limits.inputTokens],
    ["output_tokens", limits.outputTokens],
  ] as const;
  const quotas = rates.flatMap(([meter, list = []]) =>
    list.map(({ limit, windowMs }): Quota => {
      const id = `${owner}|${meter}|${windowMs / 1000}s`;
      return Object.freeze({ id, scope, meter, limit, span: Object.freeze({ kind: "window", ms: windowMs }) });
    }),
  );
  if (limits.concurrent === undefined) return quotas;
  const id = `${owner}|concurrent`;
  return [...quotas, Object.freeze({ id, scope, meter: "concurrent", limit: limits.concurrent, span: held })];
}

const held: Span = Object.freeze({ kind: "held" });
