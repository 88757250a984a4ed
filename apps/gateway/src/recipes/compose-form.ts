import { stringify } from "yaml";
import { inContainer } from "./containers.ts";
import { addressOf, policyComment } from "./policy-form.ts";
import { nameOf, type Recipe } from "./recipe.ts";

/** What every service has: it may do no more than it needs, and comes back when it dies. */
const restricted = {
  cap_drop: ["ALL"],
  security_opt: ["no-new-privileges:true"],
  restart: "unless-stopped",
};

/** A compose file with a profile for each recipe, and its policy in a comment above it. */
export function composeForm(recipes: readonly Recipe[]): string {
  const services = recipes.flatMap((recipe) => {
    const service = indented(stringify(servicesOf(recipe), { lineWidth: 0 }), "  ");
    return [...policyComment(recipe, addressOf(recipe, nameOf(recipe))).map((line) => `  ${line}`), service, ""];
  });
  const volumes = Object.fromEntries(recipes.map((recipe) => [volumeOf(recipe), {}]));
  return [
    "# Engines in containers, a profile each: docker compose --profile NAME up --detach",
    "# Above each is the policy for a gateway in the same network; one on the host finds it at 127.0.0.1 instead.",
    "services:",
    services.join("\n").trimEnd(),
    "",
    stringify({ volumes }, { lineWidth: 0 }),
  ].join("\n");
}

function servicesOf(recipe: Recipe): object {
  const { container, port, command, environment, after } = inContainer(recipe);
  const name = nameOf(recipe);
  const { gpus } = recipe.choice;
  const { image, health, weightsPath, startMinutes, sharedMemoryGib, memoryGib, fetch } = container;
  const weights = { profiles: [name], image, volumes: [`${volumeOf(recipe)}:${weightsPath}`] };
  const engine = {
    ...weights,
    // Compose puts these before `command`; an image's own entry point would come between.
    entrypoint: [command[0]],
    command: command.slice(1),
    ...(Object.keys(environment).length === 0 ? {} : { environment }),
    ports: [`127.0.0.1:${port}:${port}`],
    ...(sharedMemoryGib === undefined ? {} : { shm_size: `${sharedMemoryGib}gb` }),
    mem_limit: `${memoryGib}g`,
    ...restricted,
    healthcheck: {
      test: ["CMD", ...health],
      interval: "10s",
      timeout: "5s",
      retries: 3,
      start_period: `${startMinutes}m`,
    },
    ...(gpus === 0 ? {} : { deploy: { resources: { reservations: { devices: [device(gpus)] } } } }),
    ...(fetch === undefined
      ? {}
      : { depends_on: { [`${name}-weights`]: { condition: "service_completed_successfully" } } }),
  };
  return {
    ...(fetch === undefined
      ? {}
      : { [`${name}-weights`]: { ...weights, entrypoint: ["/bin/sh", "-c"], command: [fetch] } }),
    [name]: engine,
    ...(after === undefined ? {} : { [`${name}-model`]: told(recipe, after.run) }),
  };
}

/** Runs once beside the engine and tells it which model to fetch. */
function told(recipe: Recipe, run: string): object {
  const { container, port } = inContainer(recipe);
  const name = nameOf(recipe);
  return {
    profiles: [name],
    image: container.image,
    entrypoint: run.split(" "),
    environment: { OLLAMA_HOST: `http://${name}:${port}` },
    depends_on: { [name]: { condition: "service_healthy" } },
  };
}

const device = (count: number): object => ({ driver: "nvidia", count, capabilities: ["gpu"] });

/** Weights are shared by the scenarios of a model. */
function volumeOf(recipe: Recipe): string {
  const { kind, model } = { kind: recipe.kind, model: recipe.choice.model };
  return `${kind}-${model}`.replaceAll(/[^a-z0-9-]/g, "-");
}

function indented(text: string, by: string): string {
  return text
    .trimEnd()
    .split("\n")
    .map((line) => `${by}${line}`.trimEnd())
    .join("\n");
}
