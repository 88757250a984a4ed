import type { Model, Policy } from "./policy.ts";

/**
 * The policy as it is for who must not leave local backends: the same names and rules, and no hosted deployment in any
 * model, so that whatever is made of it (chains, candidates, hedges, recoveries) cannot reach one. A model that runs on
 * hosted ones only is barred: `decide` leaves it out, and refuses what leads to no other.
 */
export function localPolicy(policy: Policy): Policy {
  const models = [...policy.models].map(([name, model]): [string, Model] => [name, keepLocal(model)]);
  return Object.freeze({ ...policy, models: new Map(models) });
}

function keepLocal(model: Model): Model {
  const deployments = model.deployments.filter(({ hosted }) => hosted !== true);
  if (deployments.length === model.deployments.length) return model;
  const continues = deployments.some(({ continuesReplies }) => continuesReplies === true);
  return Object.freeze({
    ...model,
    deployments,
    recoversStreams: model.restartsStreams === true || continues,
    barred: deployments.length === 0,
  });
}
