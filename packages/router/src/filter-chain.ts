import { GatewayError } from "@signalbox/protocol";
import type { Features } from "./features.ts";
import type { Capabilities, Model } from "./policy.ts";

/** What is left of a chain, in its order, and a sentence for each model that was left out. */
export interface Filtered {
  readonly chain: readonly Model[];
  readonly dropped: readonly string[];
}

const capabilityNames: Readonly<Record<keyof Capabilities, string>> = {
  tools: "tools",
  images: "images",
  json_schema: "JSON answers",
  embeddings: "embeddings",
};

/** Nothing else fits: then an estimate that may be a tenth too high does not refuse; the backend's tokenizer decides. */
const DOUBT = 0.9;

/**
 * Leaves out the models that cannot take a request: those without a backend that it may go to, those that declare that they lack what it needs, those that do not say
 * when another of the chain declares it, and those whose context is too short for prompt and reply together.
 *
 * @throws GatewayError data_not_allowed, capability_not_supported or context_length_exceeded when nothing is left.
 */
export function filterChain(chain: readonly Model[], features: Features): Filtered {
  const dropped: string[] = [];
  let left = withoutBarred(chain, dropped);
  for (const need of needsOf(features)) left = withCapability(left, need, dropped);
  return { chain: withContext(left, features, dropped), dropped };
}

/** In the policy of a team whose data stays local, models that are hosted alone are barred. */
function withoutBarred(chain: readonly Model[], dropped: string[]): readonly Model[] {
  const left = chain.filter(({ barred }) => barred !== true);
  if (left.length === chain.length) return chain;
  if (left.length === 0) {
    const names = chain.map(({ name }) => name).join(", ");
    const verb = chain.length === 1 ? "runs" : "run";
    const message = `${names}: ${verb} on hosted backends only, and this team's data stays on local ones`;
    throw new GatewayError("data_not_allowed", message, { param: "model" });
  }
  for (const { name, barred } of chain) if (barred === true) dropped.push(`${name}: hosted backends only`);
  return left;
}

function needsOf(features: Features): (keyof Capabilities)[] {
  const needs: (keyof Capabilities)[] = [];
  if (features.endpoint === "embeddings") needs.push("embeddings");
  if (features.needsTools) needs.push("tools");
  if (features.hasImages) needs.push("images");
  if (features.jsonSchema) needs.push("json_schema");
  return needs;
}

function withCapability(chain: readonly Model[], need: keyof Capabilities, dropped: string[]): readonly Model[] {
  const declared = chain.some(({ capabilities }) => capabilities[need] === true);
  const left = chain.filter(
    ({ capabilities }) => capabilities[need] === true || (!declared && capabilities[need] !== false),
  );
  const what = capabilityNames[need];
  if (left.length === 0) {
    const names = chain.map(({ name }) => name).join(", ");
    const verb = chain.length === 1 ? "does" : "do";
    throw new GatewayError("capability_not_supported", `${names}: ${verb} not support ${what}`, {
      param: need === "json_schema" ? "response_format" : need === "tools" ? "tools" : undefined,
    });
  }
  for (const model of chain) {
    if (left.includes(model)) continue;
    dropped.push(`${model.name}: ${model.capabilities[need] === false ? `no ${what}` : `${what} not declared`}`);
  }
  return left;
}

function withContext(chain: readonly Model[], features: Features, dropped: string[]): readonly Model[] {
  const { contextTokens, maxTokens = 0 } = features;
  const fitting = (share: number) =>
    chain.filter(({ context }) => context === undefined || contextTokens * share + maxTokens <= context);
  const sure = fitting(1);
  const left = sure.length > 0 ? sure : fitting(DOUBT);
  if (left.length === 0) {
    const largest = chain.reduce((best, model) => (model.context! > best.context! ? model : best));
    const asked = maxTokens > 0 ? ` and max_tokens ${maxTokens}` : "";
    const message = `the prompt of about ${contextTokens} tokens${asked} does not fit in the context of ${largest.name}, ${largest.context} tokens`;
    throw new GatewayError("context_length_exceeded", message, { param: "messages" });
  }
  for (const { name, context } of chain.filter((model) => !left.includes(model))) {
    dropped.push(`${name}: ${contextTokens} + ${maxTokens} tokens over its context of ${context}`);
  }
  return left;
}
