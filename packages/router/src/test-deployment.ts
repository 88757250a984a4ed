import type { Deployment } from "./policy.ts";

/** A deployment for tests, with what the router does not look at as it is by default. */
export function testDeployment(backend: string, model: string, weight = 1): Deployment {
  return {
    id: `${backend}/${model}`,
    backend,
    model,
    weight,
    dialect: "auto",
    reasoningFirst: false,
    toolParser: "engine",
    reasoningHistory: undefined,
  };
}
