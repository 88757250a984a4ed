import type { Strategy } from "../strategy.ts";

/** As written in the config: the first takes everything while it can. */
export const ordered: Strategy = (candidates) => candidates;
