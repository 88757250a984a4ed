import type { ModelFacts } from "./model-facts.ts";

/** The memory that an engine has. */
export interface Memory {
  readonly gpus: number;
  /** Of each, in GB. */
  readonly gpuGb: number;
  /** The share of it that the engine takes. */
  readonly share: number;
  /** What it needs on each GPU beside weights and KV cache, in GB, within that share. */
  readonly reserveGb: number;
}

/** How much fits beside the weights. */
export interface KvRoom {
  /** Tokens of context of all requests together. */
  readonly tokens: number;
  /** Requests of `typical` tokens at once, at most `most`. */
  readonly requests: number;
  /** How that was reckoned, two sentences for people. */
  readonly arithmetic: readonly string[];
}

/**
 * The room for KV cache, and the requests that fit into it at once.
 * @throws Error when not even one fits: a recipe that must not be.
 */
export function kvRoom(model: ModelFacts, memory: Memory, typical: number, most = Number.POSITIVE_INFINITY): KvRoom {
  const { gpus, gpuGb, share, reserveGb } = memory;
  const roomGb = gpus * gpuGb * share - gpus * reserveGb - model.weightsGb;
  const tokens = Math.floor((roomGb * 1e9) / model.kvBytes);
  const fit = Math.floor(tokens / typical);
  if (fit < 1) throw new Error(`${model.title}: no request of ${typical} tokens fits on ${gpus} x ${gpuGb} GB`);
  const requests = Math.min(fit, most);
  const reserve = reserveGb === 0 ? "" : ` - ${gpus} x ${reserveGb} GB at work`;
  const capped = requests < fit ? `, of which ${requests} are let in` : "";
  return {
    tokens,
    requests,
    arithmetic: [
      `KV cache: ${gpus} x ${gpuGb} GB x ${share}${reserve} - ${model.weightsGb} GB of weights = ${round(roomGb)} GB, at ${round(model.kvBytes / 1000)} kB a token ${tokens.toLocaleString("en")} tokens in all.`,
      `max_concurrent: ${tokens.toLocaleString("en")} / ${typical.toLocaleString("en")} tokens of a usual request = ${fit} requests at once${capped}.`,
    ],
  };
}

const round = (value: number): number => Math.round(value * 10) / 10;
