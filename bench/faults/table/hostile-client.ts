import type { Scenario } from "../scenario.ts";
import { clientGone } from "./client-gone.ts";
import { hostileBodies } from "./hostile-bodies.ts";
import { hostileNames } from "./hostile-names.ts";
import { hostileWire } from "./hostile-wire.ts";
import { slowloris } from "./slow-clients.ts";

/** F57 to F73: clients that leave, lie, flood or guess. */
export const hostileClient: readonly Scenario[] = [
  slowloris,
  clientGone,
  ...hostileBodies,
  ...hostileWire,
  ...hostileNames,
];
