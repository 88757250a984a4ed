import { commandWords } from "./command-form.ts";
import type { After, Container, Recipe } from "./recipe.ts";

/** A recipe's launch as it is in a container. */
export interface Contained {
  readonly container: Container;
  readonly port: number;
  /** The whole command line, in place of the image's own. */
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly after?: After;
}

/**
 * How a recipe runs in a container.
 * @throws Error for an engine that has no image.
 */
export function inContainer({ kind, launch }: Recipe): Contained {
  const { container, port, after } = launch;
  if (container === undefined || port === undefined)
    throw new Error(`${kind}: there is no image of it: it is launched on the device itself, with --form command`);
  const other = new Map((container.flags ?? []).map((flag) => [flag[0], flag] as const));
  const flags = launch.flags.map((flag) => other.get(flag[0]) ?? flag);
  return {
    container,
    port,
    command: commandWords({ program: container.program ?? launch.program ?? [], flags }),
    environment: { ...launch.environment, ...container.environment },
    ...(after === undefined ? {} : { after }),
  };
}
